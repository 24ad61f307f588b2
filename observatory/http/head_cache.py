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

    def request(self, data: bytearray, size: int) -> Request | None:
        """The request that the first `size` bytes are, if they are a whole one with a known head and nothing more."""
        found = _head(data, size)
        if found is None:
            return None
        head, end = found
        known = self._known.get(head)
        if known is None:
            return None
        return Request(known.method, known.target, bytes(data[end:size]), known.keep_alive, known.takes_chunks)

    def learn(self, data: bytearray, size: int, reader: RequestReader) -> None:
        """Keep the head of the first `size` bytes if the reader, which was fed nothing else, took them for one whole
        request.
        """
        found = _head(data, size)
        if found is None or [request.body for request in reader.requests] != [data[found[1] : size]]:
            return
        if len(self._known) >= CAPACITY:
            self._known.clear()
        self._known[found[0]] = msgspec.structs.replace(reader.requests[0], body=b"")


def _head(data: bytearray, size: int) -> tuple[bytes, int] | None:
    """The head without the digits of its length, and where it ends, if what follows it has just this length."""
    end = data.find(_END, 0, min(size, LONGEST_HEAD)) + len(_END)
    begin = data.find(_LENGTH, 0, end) + len(_LENGTH)
    if end < len(_END) or begin < len(_LENGTH):
        return None
    after = data.find(b"\r", begin, end)
    digits = data[begin:after]
    if not digits.isdigit() or len(digits) > LENGTH_DIGITS or int(digits) != size - end:
        return None
    return bytes(data[:begin] + data[after:end]), end
