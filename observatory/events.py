"""What was said, and beside it what the kernel knows of who said it.

The rule is journald's: a name that begins with `_` belongs to the server. A client's own are dropped, whatever
they say, so that no reader can take a claim for a fact.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from observatory.identity import PeerCredentials

UNKNOWN_NAME = "Unknown"
"""The name of an event that names itself nowhere."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# An escape: half a surrogate pair, standing alone, is the named group.
_ESCAPES = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event: its place in the order, what may be asked about it, and the line that readers get."""

    id: int
    time: int
    """Microseconds since the epoch, UTC."""
    name: str
    uid: int | None
    """The connector's effective uid; None where the kernel did not know it."""
    session: str | None
    tool: str | None
    line: bytes
    """The JSON object, without a newline in it or after it."""


def timestamp(time: int) -> str:
    """RFC 3339 in UTC with microseconds, from microseconds since the epoch."""
    seconds, micro = divmod(time, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micro:06d}Z"


def trusted_fields(peer: PeerCredentials | None) -> str:
    """What the kernel knows of the connector, as the inside of a JSON object. Never a value from the peer."""
    if peer is None:
        return '"_peer_pid":null,"_peer_uid":null,"_peer_gid":null'
    fields = {"_peer_pid": peer.pid, "_peer_uid": peer.uid, "_peer_gid": peer.gid}
    if peer.groups is not None:
        fields["_peer_groups"] = list(peer.groups)  # type: ignore[assignment]
    return _encode(fields).decode()[1:-1]


def compose(
    number: int, time: int, ts: str, name: str | None, uid: int | None, trusted: str, body: bytes | bytearray
) -> Event:
    """Make an event of a request's body. Takes every body: what is not JSON is kept as text.

    `ts` is `timestamp(time)` and `trusted` is `trusted_fields` of the peer, whose uid is `uid`; both are the same
    for many events, so that whoever has many makes them once.
    """
    said, text = _read(body)
    if name is None:
        own = said.get("hook_event_name")
        name = own if isinstance(own, str) and own else UNKNOWN_NAME
    session = said.get("session_id")
    tool = said.get("tool_name")
    head = f'{{"_id":{number},"_ts":"{ts}","_event":{_encode(name).decode()},{trusted}'
    return Event(
        number,
        time,
        name,
        uid,
        session if isinstance(session, str) else None,
        tool if isinstance(tool, str) else None,
        head.encode() + (b"," + text if text else b"") + b"}",
    )


def _read(body: bytes | bytearray) -> tuple[dict[str, Any], bytes]:
    """The client's fields without any that begins with `_`, and the same as the inside of a JSON object."""
    value = _value(body)
    if type(value) is not dict:
        value = {"_value": value}
        if value["_value"] is _NOT_JSON:
            value = {"_raw": bytes(body).decode(errors="backslashreplace")}
        return {}, _encode(value)[1:-1]
    reserved = [key for key in value if key.startswith("_")]
    for key in reserved:
        del value[key]
    return value, _encode(value)[1:-1]


_NOT_JSON = object()


def _value(body: bytes | bytearray) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # JavaScript writes half a surrogate pair as it is, where a text was cut in the middle of a character. No
    # text has such a half (RFC 8259, 8.2), and few readers take it, so it becomes U+FFFD.
    whole = _ESCAPES.sub(_replace_half, body)
    if whole == body:
        return _NOT_JSON
    try:
        return _decode(whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOT_JSON


def _replace_half(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match["half"] else match[0]
