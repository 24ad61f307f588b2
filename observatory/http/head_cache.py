"""Heads that were seen before: a request that begins like one of them needs no parsing.

A hook's requests differ in their bodies and in their lengths, and in nothing else. What llhttp made of one is kept
under all bytes of its head but the digits of its `Content-Length`. What has the same bytes there, and as many
after them as its own digits say, is the same request with another body. Anything else is for `RequestReader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from observatory.http.parser import Request

if TYPE_CHECKING:
    from observatory.http.parser import RequestReader

CAPACITY: Final = 256
"""Heads that are kept; one more takes the place of all of them."""
LONGEST_HEAD: Final = 1024
"""Bytes of a head that is kept."""
LENGTH_DIGITS: Final = 7
"""Digits of a length that is known here: whatever they are, it's less than `observatory.http.parser.MAX_BODY`."""

_LENGTH: Final = b"\r\nContent-Length: "
_END: Final = b"\r\n\r\n"


class HeadCache:
    """The heads that one server has seen."""

    def __init__(self) -> None:
        self._known: dict[bytes, Request] = {}
        self._latest: tuple[bytes, bytes, Request] | None = None
        """Of the head that was found last what is before the digits, what is after them, and its request."""

    def request(self, data: bytearray, size: int) -> Request | None:
        """The request that the first `size` bytes are, if they are a whole one with a known head and nothing more."""
        latest = self._latest
        if latest is not None and data.startswith(latest[0], 0, size):
            before, after, known = latest
            begin = len(before)
            end = data.find(b"\r", begin, begin + LENGTH_DIGITS + 1)
            if data.startswith(after, end, size):
                digits = data[begin:end]
                end += len(after)
                if digits.isdigit() and int(digits) == size - end:
                    return _with_body(known, data[end:size])
        found = _head(data, size)
        if found is None:
            return None
        before, after, end = found
        other = self._known.get(before + after)
        if other is None:
            return None
        self._latest = before, after, other
        return _with_body(other, data[end:size])

    def learn(self, data: bytearray, size: int, reader: RequestReader) -> None:
        """Keep the head of the first `size` bytes if the reader, which was fed nothing else, took them for one whole
        request.
        """
        found = _head(data, size)
        if found is None or [request.body for request in reader.requests] != [data[found[2] : size]]:
            return
        if len(self._known) >= CAPACITY:
            self._known.clear()
            self._latest = None
        self._known[found[0] + found[1]] = msgspec.structs.replace(reader.requests[0], body=b"")


def _with_body(known: Request, body: bytearray) -> Request:
    return Request(known.method, known.target, body, known.keep_alive, known.takes_chunks)


def _head(data: bytearray, size: int) -> tuple[bytes, bytes, int] | None:
    """The head before the digits of its length and after them, and where it ends, if what follows it has just this
    length.
    """
    end = data.find(_END, 0, min(size, LONGEST_HEAD)) + len(_END)
    begin = data.find(_LENGTH, 0, end) + len(_LENGTH)
    if end < len(_END) or begin < len(_LENGTH):
        return None
    after = data.find(b"\r", begin, end)
    digits = data[begin:after]
    if not digits.isdigit() or len(digits) > LENGTH_DIGITS or int(digits) != size - end:
        return None
    return bytes(data[:begin]), bytes(data[after:end]), end
