"""What is made once and looked at again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """What an iterator gives, taken from it when it is first asked for; it can be gone through again."""

    def __init__(self, given: Iterator[_T]) -> None:
        self._given = given
        self._known: list[_T] = []

    def __iter__(self) -> Iterator[_T]:
        number = 0
        while True:
            if number == len(self._known):
                try:
                    self._known.append(next(self._given))
                except StopIteration:
                    return
            yield self._known[number]
            number += 1
