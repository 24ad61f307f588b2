"""What a command says beside its answer: on standard error, under its own name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, TypeVar

from observatory.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
NONE: Final = "there is no such event that you may see"


def remark(command: str, sentence: str) -> None:
    """Say a sentence."""
    print(f"observatory {command}: {printable(sentence)}", file=sys.stderr, flush=True)


def remark_if_none(command: str, found: Iterable[T], sentence: str = NONE) -> Iterator[T]:
    """What was found; at its end, if it is nothing, that is said: an empty answer alone could have any reason."""
    empty = True
    for each in found:
        empty = False
        yield each
    if empty:
        remark(command, sentence)
