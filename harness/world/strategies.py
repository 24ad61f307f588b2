"""A Hypothesis strategy for whole worlds, for property tests: Hypothesis draws the bytes, and so can leave some out."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from harness.world.drawing import ATTEMPTS, BYTES, NODES, USERS, Dice, fit

if TYPE_CHECKING:
    from harness.world import World


@st.composite
def worlds(
    draw: st.DrawFn,
    max_nodes: int = NODES[1],
    max_attempts: int = ATTEMPTS[1],
    *,
    fuse: bool = False,
    flags: bool = False,
) -> World:
    """Whole worlds, with at least one user beside root, one node and one attempt or more.

    `fuse`: with FUSE mounts in some, `flags`: with immutable and append-only nodes in some; no world has both.
    """
    users, nodes = draw(_dices(*USERS)), draw(_dices(1, max_nodes))
    attempts = draw(_dices(min(ATTEMPTS[0], max_attempts), max_attempts))
    (whole,) = draw(_dices(1, 1))
    return fit(users, nodes, attempts, whole, fuse=fuse, flags=flags)


@functools.cache  # Hypothesis looks a strategy over when it is first drawn from, and keeps what it found
def _dices(least: int, most: int) -> st.SearchStrategy[list[Dice]]:
    return st.lists(st.binary(min_size=BYTES, max_size=BYTES).map(Dice), min_size=least, max_size=most)
