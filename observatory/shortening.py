"""What is too large is shortened and not lost: the beginning of a long text stays, with its size and its digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: Final = 64 * 1024
"""Bytes of one text that are kept unless somebody says otherwise."""
POINTER: Final = 256
"""Characters of a text's place that are kept."""
_QUOTE, _OBJECT, _ARRAY = b'"{['
_decode_text = msgspec.json.Decoder(str).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def shortened(inside: bytes | memoryview, keep: int) -> bytes | None:
    """The inside of a JSON object, without its opening brace, in which no text has more than `keep` bytes of UTF-8.

    `None` if none has. What was cut is told in a last field `_cut`: for each text its place (a JSON Pointer, RFC
    6901), how many bytes it had, and their SHA-256. What nothing is cut of stays as it is, byte for byte.
    """
    body = b"{" + inside
    if not _may_have_more(body, keep):
        return None
    cut: list[dict[str, object]] = []
    fields = _shorten_fields(_decode_fields(body), keep, "", cut.append)
    return _encode({**fields, "_cut": cut})[1:] if cut else None


def _may_have_more(text: bytes, keep: int) -> bool:
    """Whether a JSON text may have a string of more than `keep` bytes: it has one of more than half as many."""
    if b'\\"' in text:
        text = text.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
    # Whatever is longer than `keep` has all of one of these pieces.
    piece = (keep + 2) // 2
    quotes = counted = 0
    for begin in range(0, len(text) - piece + 1, piece):
        if text.find(b'"', begin, begin + piece) < 0:
            quotes += text.count(b'"', counted, begin)
            counted = begin
            if quotes % 2:
                return True
    return False


def _shorten(value: msgspec.Raw, keep: int, place: str, report: Callable[[dict[str, object]], object]) -> msgspec.Raw:
    view = memoryview(value)
    if len(view) <= keep:
        return value
    if view[0] == _QUOTE:
        data = _decode_text(value).encode()
        if len(data) <= keep:
            return value
        report({"place": place[:POINTER], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        return msgspec.Raw(_encode(data[:keep].decode(errors="ignore")))
    if view[0] == _OBJECT:
        fields = _decode_fields(value)
        shorter = _shorten_fields(fields, keep, place, report)
        return value if shorter is fields else msgspec.Raw(_encode(shorter))
    if view[0] == _ARRAY:
        items = _decode_items(value)
        long = {index: each for index, each in enumerate(items) if len(memoryview(each)) > keep}
        changed = False
        for index, each in long.items():
            items[index] = _shorten(each, keep, f"{place}/{index}"[:POINTER], report)
            changed |= items[index] is not each
        return msgspec.Raw(_encode(items)) if changed else value
    return value


def _shorten_fields(
    fields: dict[str, msgspec.Raw], keep: int, place: str, report: Callable[[dict[str, object]], object]
) -> dict[str, msgspec.Raw]:
    """Fields with what is shortened of their values; the same object if nothing is."""
    shorter = {
        name: new
        for name, value in fields.items()
        if len(memoryview(value)) > keep
        and (new := _shorten(value, keep, f"{place}/{_escaped(name)}"[:POINTER], report)) is not value
    }
    return {**fields, **shorter} if shorter else fields


def _escaped(name: str) -> str:
    return name[:POINTER].replace("~", "~0").replace("/", "~1")
