"""A part of a whole that several machines do together: the K-th of N, the same each time."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 512
"""As many parts as the sweep's grid has rows."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shard:
    """The `part`-th of `parts`, counted from 1."""

    part: int = 1
    parts: int = 1

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """This part of all items; each item is in exactly one part, and the sizes differ by one at most."""
        return items[self.part - 1 :: self.parts]

    def __str__(self) -> str:
        return f"{self.part}/{self.parts}"


def parse_shard(text: str) -> Shard:
    """Read `K/N`. Raises ValueError with a sentence."""
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts) <= MOST):
        raise ValueError(f"{text!r} is not K/N with 1 <= K <= N <= {MOST}")
    return Shard(int(part), int(parts))


def shard_argument(text: str) -> Shard:
    """The same, as a `type` of argparse, which drops the sentence of a ValueError."""
    try:
        return parse_shard(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
