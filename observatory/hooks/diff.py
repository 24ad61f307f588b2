"""A change of a text as a unified diff, in a time that no text can draw out.

`difflib` compares every two equal lines, which takes minutes for some thousands of lines made for that.
"""

from __future__ import annotations

import difflib
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST: Final = 3_000
"""Lines, of both texts together, that are compared with each other; more are shown as taken out and put in."""
CONTEXT: Final = 3
"""Lines before and after a change that are shown with it."""

_Change = tuple[str, int, int, int, int]
"""What `difflib` calls an opcode: the kind of a change, the lines in the old text, and those in the new one."""


def unified_diff(before: str, after: str, was: str, becomes: str) -> str:
    """The diff that makes one text of the other, under these names; empty if they are equal."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    head = _common(zip(old, new, strict=False))
    tail = _common(zip(reversed(old[head:]), reversed(new[head:]), strict=False))
    pieces = [f"--- {was}\n+++ {becomes}\n"]
    for group in _groups(old, new, head, tail):
        pieces.append(_heading(group))
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                pieces += (" " + line for line in old[first:last])
            else:
                pieces += ("-" + line for line in old[first:last])
                pieces += ("+" + line for line in new[new_first:new_last])
    return "".join(piece if piece.endswith("\n") else f"{piece}\n\\ No newline at end of file\n" for piece in pieces)


def _lines(text: str) -> list[str]:
    # Only a line feed ends a line of a diff; str.splitlines knows of ten more.
    return list(io.StringIO(text, newline="\n"))


def _common(pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs are equal before the first that is not."""
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _groups(old: Sequence[str], new: Sequence[str], head: int, tail: int) -> Iterator[list[_Change]]:
    """The changes between the common head and the common tail, with their context, by their places in the texts."""
    start = max(0, head - CONTEXT)
    stop = max(0, tail - CONTEXT)
    some_old, some_new = old[start : len(old) - stop], new[start : len(new) - stop]
    if len(some_old) + len(some_new) > MOST:
        yield [("replace", head, len(old) - tail, head, len(new) - tail)]
        return
    for group in difflib.SequenceMatcher(None, some_old, some_new).get_grouped_opcodes(CONTEXT):
        yield [(kind, a + start, b + start, c + start, d + start) for kind, a, b, c, d in group]


def _heading(group: Sequence[_Change]) -> str:
    old = _range(group[0][1], group[-1][2])
    new = _range(group[0][3], group[-1][4])
    return f"@@ -{old} +{new} @@\n"


def _range(first: int, last: int) -> str:
    """Lines as GNU diff writes them: the first is 1, and an empty range is after the line that it names."""
    return f"{first + 1}" if last - first == 1 else f"{first + (last > first)},{last - first}"
