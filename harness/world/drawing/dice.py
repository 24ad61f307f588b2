"""Bytes, each of which picks one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_T = TypeVar("_T")


class Dice:
    """Some bytes, taken one after the other. Where they end, all further ones are 0."""

    def __init__(self, drawn: bytes) -> None:
        self._bytes = iter(drawn)

    def number(self, limit: int) -> int:
        """0 to `limit` - 1, for limits up to 256."""
        return next(self._bytes, 0) % limit

    def chance(self, of: int) -> bool:
        """True in one case of so many."""
        return self.number(of) == of - 1

    def one(self, choices: Sequence[_T]) -> _T:
        """One of them."""
        return choices[self.number(len(choices))]

    def weighted(self, weights: Mapping[_T, int]) -> _T:
        """One of the keys, each as often as its value says."""
        return self.one([choice for choice, weight in weights.items() for _ in range(weight)])

    def some(self, weights: Mapping[_T, int]) -> Mapping[_T, int]:
        """About half of them, or all."""
        kept = {choice: weight for choice, weight in weights.items() if self.chance(2)}
        return kept or weights

    def mode(self, usual: Sequence[int], limit: int) -> int:
        """A usual mode, or in one case of three any mode below the limit."""
        usually = self.one(usual)
        return (self.number(256) << 8 | self.number(256)) % limit if self.chance(3) else usually
