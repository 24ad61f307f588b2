"""What is too large is shortened and not lost: the beginning of a long text stays, with its size and its digest."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT: Final = 64 * 1024
"""Bytes of one text that are kept unless somebody says otherwise."""
POINTER: Final = 256
"""Characters of a text's place that are kept."""
_decode = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def shortened(inside: bytes | memoryview, keep: int) -> bytes | None:
    """The inside of a JSON object, without its opening brace, in which no text has more than `keep` bytes of UTF-8.

    `None` if none has. What was cut is told in a last field `_cut`: for each text its place (a JSON Pointer, RFC
    6901), how many bytes it had, and their SHA-256. Fields in which nothing is cut stay as they are, byte for byte.
    """
    cut: list[dict[str, object]] = []
    fields = _decode_fields(b"{" + inside)
    for name, raw in fields.items():
        if len(memoryview(raw)) > keep:
            before = len(cut)
            value = _shorten(_decode(raw), keep, f"/{_escaped(name)}", cut.append)
            if len(cut) > before:
                fields[name] = msgspec.Raw(_encode(value))
    return _encode({**fields, "_cut": cut})[1:] if cut else None


def _shorten(value: Any, keep: int, place: str, report: Callable[[dict[str, object]], object]) -> Any:
    if isinstance(value, str):
        # A character has four bytes at most.
        if 4 * len(value) <= keep or len(data := value.encode()) <= keep:
            return value
        report({"place": place[:POINTER], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        return data[:keep].decode(errors="ignore")
    if isinstance(value, dict):
        return {
            name: _shorten(each, keep, f"{place}/{_escaped(name)}"[:POINTER], report) for name, each in value.items()
        }
    if isinstance(value, list):
        return [_shorten(each, keep, f"{place}/{index}"[:POINTER], report) for index, each in enumerate(value)]
    return value


def _escaped(name: str) -> str:
    return name[:POINTER].replace("~", "~0").replace("/", "~1")
