"""Events read from their lines, also those with numbers that no reader here can hold.

JSON's numbers are of any size (RFC 8259, section 6), and a server keeps them as they were sent. Beyond a double, or
with more digits than Python makes an integer of, such a number is read as its text: nobody's event hides another's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_STRING_OR_NUMBER: Final = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+', re.DOTALL
)
_QUOTE: Final = ord('"')
_decode = msgspec.json.Decoder().decode


def reader(kind: type[T]) -> Callable[[bytes | msgspec.Raw], T]:
    """What reads JSON as this type. That raises msgspec.DecodeError, or RecursionError, for what is none."""
    decode = msgspec.json.Decoder(kind).decode

    def read(line: bytes | msgspec.Raw) -> T:
        try:
            return decode(line)
        except msgspec.DecodeError:
            line = bytes(line)
            if (mended := _STRING_OR_NUMBER.sub(_readable, line)) == line:
                raise
            return decode(mended)

    return read


def _readable(found: re.Match[bytes]) -> bytes:
    piece = found[0]
    if piece[0] != _QUOTE:
        try:
            _decode(piece)
        except msgspec.DecodeError:
            return b'"%b"' % piece
    return piece


read_event: Final[Callable[[bytes | msgspec.Raw], dict[str, Any]]] = reader(dict[str, Any])
"""A line as an event."""
