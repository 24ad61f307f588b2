"""What is made once and looked at again and again."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """What an iterator gives, taken from it when it is first asked for; it can be gone through again."""

    def __init__(self, given: Iterator[_T]) -> None:
        self._given = given

    def __iter__(self) -> Iterator[_T]:
        self._given, again = itertools.tee(self._given)
        return again
