"""Under which subject an event is published, and what tells it from every other one. Pure."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

import msgspec

ROOT: Final = "observatory"
"""The first token of every subject."""
STREAM: Final = "OBSERVATORY"
"""The name of the stream."""
LONGEST: Final = 64
"""Characters of a name in a subject; the event itself has it whole."""
UNKNOWN: Final = "unknown"
"""Stands for a uid that the kernel could not translate."""


class _Head(msgspec.Struct):
    id: int = msgspec.field(name="_id")
    ts: str = msgspec.field(name="_ts")
    event: str = msgspec.field(name="_event")
    uid: int | None = msgspec.field(default=None, name="_peer_uid")


_decode = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class Address:
    """Where an event goes: its id and time at its server, its subject, and the id by which JetStream drops repeats.

    The database is in both: the next one at the same server counts from 1 again, and so does another machine's. The
    time is in the message id too: a database that lost its last events (in a power cut, or restored from a copy) gives
    their ids again.
    """

    id: int
    ts: str
    subject: str
    message: str


def address(host: str, database: str, line: bytes) -> Address:
    """The address of a line of a database. Raises msgspec.DecodeError for what is no event."""
    head = _decode(line)
    uid = UNKNOWN if head.uid is None else str(head.uid)
    return Address(
        head.id,
        head.ts,
        f"{ROOT}.{host}.{uid}.{token(head.event[:LONGEST])}.{database}",
        f"{host}.{database}.{head.id}.{head.ts}",
    )


def note_subject(host: str) -> str:
    """Where a forwarder notes which database it forwards as that host; no event goes there."""
    return f"{ROOT}.{host}.forwarder"


def is_event(subject: str) -> bool:
    """Whether what is published there is an event, and no note of a forwarder."""
    parts = subject.split(".")
    return len(parts) != 3 or parts[2] != "forwarder"


@functools.lru_cache(maxsize=1024)
def token(text: str) -> str:
    """Any text as one token of a subject: what has a meaning there, or in a log, as `%` and two digits."""
    return quote(text, safe="", errors="replace").replace(".", "%2E").replace("~", "%7E") or "%00"


def text(part: str) -> str:
    """What was made into a token."""
    return "" if part == "%00" else unquote(part)


def host_of(subject: str) -> str:
    """The host of a subject. NATS lets a host's account publish under its own name only."""
    parts = subject.split(".")
    return text(parts[1]) if len(parts) > 1 else ""
