"""What was said, and beside it what the kernel knows of who said it.

The rule is journald's: a name that begins with `_` belongs to the server. A client's own are dropped, whatever
they say, so that no reader can take a claim for a fact.
"""

from __future__ import annotations

import contextlib
import functools
import re
from array import array
from datetime import UTC, datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.shortening import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from observatory.identity import PeerCredentials
    from observatory.identity.process import Lineage
    from observatory.redaction.redactor import Redactor

UNKNOWN_NAME = "Unknown"
"""The name of an event that names itself nowhere."""

LONGEST_NAME = 256
"""Characters of an event's name: a longer one in the target is cut, in the body it's none. Nor can a longer session or
tool be asked for."""

DEEPEST = 100
"""Arrays and objects within each other that a body is taken apart with; one that goes deeper is kept as text. How deep
a decoder goes by itself depends on its stack, and who reads the line may have a lower bound than who wrote it: jq 1.6
has 256, Rust's serde_json 128."""

SHORT = 4096
"""Bytes of a body in which brackets are counted before it is taken apart."""

LARGE = 256 * 1024
"""Bytes of a body from which on it is looked at before it is taken apart, since that could take seconds: if there are
more than"""
MANY = 200_000
"""values in it, or escapes that may have to be mended, it is kept as text."""

SHOWN: Final = 32 * 1024
"""Bytes of a body that is no UTF-8 in which each is shown that is none. That takes a hundred times as long as to
replace it, as is done in a longer body."""

FEW: Final = 1000
"""Values in one level of a body that are looked at one by one."""

_SPACE = b" \t\n\r"  # RFC 8259, section 2
_encode = msgspec.json.Encoder().encode
_BEFORE_VALUES = (b",", b"[", b"{")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_NO_OPENING = bytes(set(range(256)) - set(b"[{"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_PEELED = 4
_ONE_DEEPER_OR_LESS = bytes.maketrans(b"[]", b"\x01\xff")  # as signed bytes: 1 and -1
_FIRST, _SECOND = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# Half a surrogate pair that stands alone, where every backslash begins an escape.
_HALF = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_FIRST, _SECOND, _FIRST, _SECOND))


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event: its place in the order, what may be asked about it, and the line that readers get.

    Its fields are those of the database's table, in their order.
    """

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


_decode_text = msgspec.json.Decoder(str).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def timestamp(time: int) -> str:
    """RFC 3339 in UTC with microseconds, from microseconds since the epoch."""
    seconds, micro = divmod(time, 1_000_000)
    return f"{_second(seconds)}.{micro:06d}Z"


@functools.lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


class Said(msgspec.Struct, frozen=True, gc=False):
    """A request's body, taken apart: what becomes of it in the event's line, and what else the event has of it."""

    inside: bytes | memoryview
    """A JSON object without its opening brace."""
    name: str | None
    session: str | None
    tool: str | None


def take_apart(body: bytes | bytearray, keep: int | None = None, redactor: Redactor | None = None) -> Said:
    """What a request's body says. Takes every body: what is not JSON, or deeper than `DEEPEST`, or more than `MANY`
    things, is kept as text. Secrets that the `redactor` knows are taken out of it. Of texts longer than `keep` bytes
    so many are kept, with `None` all.
    """
    inside, fields = _read(body)
    if redactor is not None and (redacted := redactor.inside(inside)) is not None:
        inside = redacted
        if fields:
            fields = _decode_fields(b"{" + redacted)
    if keep is not None and len(body) > keep:
        inside = shortened(inside, keep) or inside
    return Said(inside, _text(fields, "hook_event_name"), _text(fields, "session_id"), _text(fields, "tool_name"))


def compose(number: int, time: int, ts: str, name: str | None, peer: PeerCredentials | None, said: Said) -> Event:
    """Make an event of what a peer has said.

    `ts` is `timestamp(time)`: it is the same for all events of a turn. A name that is given goes before the one
    that the body gives itself.
    """
    name = name[:LONGEST_NAME] if name else said.name or UNKNOWN_NAME
    head = f'{{"_id":{number},"_ts":"{ts}","_event":{_quoted(name)},{trusted_fields(peer)},'.encode()
    inside = said.inside
    return Event(
        number,
        time,
        name,
        None if peer is None else peer.uid,
        said.session,
        said.tool,
        b"".join((head, inside)) if len(inside) > 1 else head[:-1] + inside,
    )


def with_others(event: Event, pids: list[int]) -> Event:
    """The event with `_session_pids` as its last field: the processes of its session that live on."""
    return msgspec.structs.replace(event, line=b'%b,"_session_pids":%b}' % (event.line[:-1], _encode(pids)))


def with_process(event: Event, lineage: Lineage) -> Event:
    """The event with `_peer_process` as its last field: the sender and its ancestors, as far as they are known."""
    process = lineage.process
    known: dict[str, object] = {"pid": process.pid, "comm": process.comm}
    for name in ("command", "exe", "cgroup"):
        if (value := getattr(process, name)) is not None:
            known[name] = value
    known["ancestors"] = [{"pid": each.pid, "comm": each.comm} for each in lineage.ancestors]
    line = b'%b,"_peer_process":%b}' % (event.line[:-1], _encode(known))
    return msgspec.structs.replace(event, line=line)


def trusted_fields(peer: PeerCredentials | None) -> str:
    """What the kernel knows of the connector, as the inside of a JSON object. Nothing in it is from the peer."""
    if peer is None:
        return '"_peer_pid":null,"_peer_uid":null,"_peer_gid":null'
    pid, uid, gid = peer.pid, peer.uid, peer.gid
    groups = _group_count(peer) if peer.groups is None else _groups(peer.groups)
    return (
        f'"_peer_pid":{"null" if pid is None else pid},"_peer_uid":{"null" if uid is None else uid},'
        f'"_peer_gid":{"null" if gid is None else gid}{groups}'
    )


def _group_count(peer: PeerCredentials) -> str:
    return "" if peer.group_count is None else f',"_peer_group_count":{peer.group_count}'


@functools.lru_cache(maxsize=256)
def _groups(groups: tuple[int, ...]) -> str:
    return f',"_peer_groups":[{",".join(map(str, groups))}]'


@functools.lru_cache(maxsize=256)
def _quoted(name: str) -> str:
    return _encode(name).decode()


def _read(body: bytes | bytearray) -> tuple[bytes | memoryview, Mapping[str, msgspec.Raw]]:
    """A JSON object with the client's fields less any that begins with `_`, without its opening brace; and these
    fields, each as JSON (msgspec.Raw) or as what it says.

    An object is taken as it was sent if it's UTF-8, on one line, and has no such field: to take it apart and put it
    together again would be most of the work of the whole server. So only its outermost fields are taken apart; all
    of it is checked to be JSON.
    """
    if len(body) > LARGE and _are_many(body):
        return _as_text(body), {}
    try:
        fields = _decode_fields(body)
        if not body.isascii():
            body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_other(body)
    if _is_too_deep(body, fields):
        return _as_text(body), {}
    # Names may have a comma in them, and then it only takes longer.
    if ",_" in f",{','.join(fields)}" or b"\n" in body or b"\r" in body or body[:2] != b'{"' or body[-1:] != b"}":
        return _read_other(body)
    return memoryview(body)[1:], fields


def _read_other(body: bytes | bytearray) -> tuple[bytes, Mapping[str, msgspec.Raw]]:
    """The same of a body that can't be taken as it was sent. Its values are copied and not taken apart, which can take
    a thousand times as long: 7 us for one number.
    """
    text = None if _depth(body) > DEEPEST else _on_one_line(body)
    if text is None:
        return _as_text(body), {}
    if text[:1] != b"{":
        return b'"_value":%b}' % text, {}
    fields = {name: value for name, value in _decode_fields(text).items() if not name.startswith("_")}
    return _encode(fields)[1:], fields


def _on_one_line(body: bytes | bytearray) -> bytes | None:
    """A JSON text in UTF-8 without the space between its values; None: it is none."""
    for text in (body, _mended(body)):
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if text is not None:
                line = msgspec.json.format(text, indent=-1)
                line.decode()
                return line
    return None


def _are_many(body: bytes | bytearray) -> bool:
    """Whether a JSON text has more than `MANY` values."""
    if sum(map(body.count, _BEFORE_VALUES)) <= MANY:
        return False
    return sum(map(_outside_of_strings(body).count, _BEFORE_VALUES)) > MANY


def _as_text(body: bytes | bytearray) -> bytes:
    return _encode({"_raw": body.decode(errors="backslashreplace" if len(body) <= SHOWN else "replace")})[1:]


def _is_too_deep(body: bytes | bytearray, fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether an object has more than `DEEPEST` arrays and objects within each other, itself included.

    Most brackets stand in texts, which are a tool's input or output, and those in the second level or the third. To
    take these levels apart, unless there is much in them, is quicker than to look at each quotation mark; and so is, in
    a short body, to count.
    """
    if len(body) <= SHORT and len(body.translate(None, _NO_OPENING)) <= DEEPEST:
        return False
    values = list(fields.values())
    for level in (2, 3):
        if len(values) > FEW:
            return _depth(body) > DEEPEST
        containers = [value for value in values if memoryview(value)[0] in b"{["]
        if level > DEEPEST:
            return bool(containers)
        values = [value for each in containers for value in _inside(each)]
    if len(values) > FEW:
        return _depth(body) > DEEPEST
    return any(_depth(bytes(value)) > DEEPEST - 3 for value in values if memoryview(value)[0] in b"{[")


def _inside(container: msgspec.Raw) -> Iterable[msgspec.Raw]:
    return _decode_fields(container).values() if memoryview(container)[0] == ord("{") else _decode_items(container)


def _depth(text: bytes | bytearray) -> int:
    """How many arrays and objects a JSON text has within each other."""
    brackets = _outside_of_strings(text).translate(_ONE_KIND, _NO_BRACKET)
    depth = 0
    # What is innermost goes first: mostly that's nearly all, at a hundredth of the time.
    while depth < _PEELED and len(less := brackets.replace(b"[]", b"")) < len(brackets):
        brackets = less
        depth += 1
    return depth + max(accumulate(array("b", brackets.translate(_ONE_DEEPER_OR_LESS))), default=0)


def _outside_of_strings(text: bytes | bytearray) -> bytes:
    """A JSON text without its strings."""
    # Without escapes a quotation mark begins or ends a string, so that every other piece is outside of them.
    if b'\\"' in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2])


def _text(fields: Mapping[str, msgspec.Raw], name: str) -> str | None:
    """A field's value if it's text, not empty, and no longer than a name."""
    value = fields.get(name)
    if value is None:
        return None
    try:
        text = _decode_text(value)
    except msgspec.ValidationError:  # it's something else, of which no more is read
        return None
    return text if 0 < len(text) <= LONGEST_NAME else None


def _mended(body: bytes | bytearray) -> bytes | None:
    """A JSON text without halves of surrogate pairs; None: there are none, or too many escapes.

    JavaScript writes half a surrogate pair as it is, where a text was cut in the middle of a character. No text has
    such a half (RFC 8259, 8.2), and few readers take it, so it becomes U+FFFD.
    """
    if b"\\u" not in body or b"\x01" in body or body.count(b"\\") > MANY:
        return None
    # JSON has no control characters, so that one can stand for an escaped backslash.
    halves = body.replace(b"\\\\", b"\x01")
    whole = _HALF.sub(rb"\\ufffd", halves)
    return None if whole == halves else whole.replace(b"\x01", b"\\\\")
