"""Where any of some words stands in a text: to look for them is what redaction costs an event without a secret.

`ahocorasick_rs` looks for all of them at once, with the processor's vector instructions, at ten bytes a nanosecond.
Where it has no package (the BSDs), a regular expression does the same at a hundredth of that.
"""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Find = Callable[[bytes | memoryview], Sequence[tuple[int, int, int]]]
    """The number of a word, its beginning and its end: for each that is found, in their order."""

BLOCK: Final = 64 * 1024
"""Bytes that are looked through at once: a text may be nothing but such words."""


class Keywords:
    """Some words, none of which is in another."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.find = _finder(words)
        """All that are in a text of at most `BLOCK` bytes."""
        self._overlap = max(map(len, words)) - 1

    def stand_in(self, data: bytes | bytearray | memoryview) -> bool:
        """Whether any of them is in there."""
        if len(data) <= BLOCK:
            return bool(self.find(memoryview(data)))
        view = memoryview(data)
        return any(self.find(view[at : at + BLOCK + self._overlap]) for at in range(0, len(view), BLOCK))

    def places(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Each that is in there: its number, and where it begins."""
        view = memoryview(data)
        for at in range(0, len(view), BLOCK):
            for number, begin, _ in self.find(view[at : at + BLOCK + self._overlap]):
                if begin < BLOCK:
                    yield number, at + begin


def _finder(words: Sequence[bytes]) -> Find:
    if importlib.util.find_spec("ahocorasick_rs") is None:
        return _by_expression(words)
    from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415 - it is not on every platform

    # Other kinds of match are without vector instructions.
    return BytesAhoCorasick(list(words), matchkind=MatchKind.LeftmostFirst).find_matches_as_indexes


def _by_expression(words: Sequence[bytes]) -> Find:
    expression = re.compile(b"|".join(b"(%b)" % re.escape(word) for word in words))

    def find(data: bytes | memoryview) -> list[tuple[int, int, int]]:
        return [((match.lastindex or 0) - 1, *match.span()) for match in expression.finditer(data)]

    return find
