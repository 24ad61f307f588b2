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

    The message id has the time in it too: a server that was given a new database counts from 1 again.
    """

    id: int
    ts: str
    subject: str
    message: str


def address(host: str, line: bytes) -> Address:
    """The address of an event's line. Raises msgspec.DecodeError for what is none."""
    head = _decode(line)
    uid = UNKNOWN if head.uid is None else str(head.uid)
    return Address(
        head.id, head.ts, f"{ROOT}.{host}.{uid}.{token(head.event[:LONGEST])}", f"{host}.{head.id}.{head.ts}"
    )


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
