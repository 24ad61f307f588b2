"""Drawn worlds as a whole: how much there is in them, and in which order it is tried."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from harness.world.drawing.attempts import OPERATIONS, attempts_by
from harness.world.drawing.dice import Dice
from harness.world.drawing.nodes import SORTS, nodes_by, user_by
from harness.world.model import Node, World
from harness.world.validation import complete, problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from harness.world.drawing.nodes import Sort
    from harness.world.model import Attempt

TOPS: Final = (
    ("/w", None),
    ("/w", 0o777),
    ("/w", 0o1777),
    ("/tmp", None),
    ("/run", None),
    ("/home", 0o2777),
    ("/var/run", 0o755),
)
"""The directories in which drawn worlds lie; a mode stands for a node of its own, else they are as a place has them."""
GROUPS: Final = {"web": 2001, "ops": 2002, "audit": 2003}
USERS: Final = (1, 4)
NODES: Final = (4, 12)
"""For how many nodes bytes are drawn: what is rare takes several that fit together. Those that don't are left out."""
ATTEMPTS: Final = (6, 20)
"""For how many attempts bytes are drawn; most of them bring a second one. To make a world takes longer than to try."""
BYTES: Final = 32
"""As many as are drawn for each of them, and for the world itself."""


def random_world(random: Random, *, fuse: bool = False, flags: bool = False) -> World:
    """The next world. It depends on nothing but the generator's state, in every version of Python.

    `fuse`: with FUSE mounts in some, `flags`: with immutable and append-only nodes in some; no world has both.
    """
    whole = Dice(random.randbytes(BYTES))

    def some(least: int, most: int) -> list[Dice]:
        return [Dice(random.randbytes(BYTES)) for _ in range(least + whole.number(most - least + 1))]

    return fit(some(*USERS), some(*NODES), some(*ATTEMPTS), whole, fuse=fuse, flags=flags)


def fit(
    users: Sequence[Dice],
    nodes: Sequence[Dice],
    attempts: Sequence[Dice],
    whole: Dice,
    *,
    fuse: bool = False,
    flags: bool = False,
) -> World:
    """The world that these bytes stand for: of nodes those that fit to the ones before them."""
    top, open_to = whole.one(TOPS)
    flagged = flags and whole.chance(2)
    # In half of the worlds all there is, else about half of it: what is rare takes several of a sort side by side.
    chosen = whole.chance(2)
    sorts: Mapping[Sort, int] = {"directory": SORTS["directory"], **whole.some(SORTS)} if chosen else SORTS
    operations = whole.some(OPERATIONS) if chosen else OPERATIONS
    named = [user_by(dice, f"u{number}", tuple(GROUPS.values())) for number, dice in enumerate(users)]
    own = {user.name: 3000 + number for number, user in enumerate(named)}
    around = () if open_to is None else (Node(top, "directory", mode=open_to),)
    world = complete(World("drawn", groups={**GROUPS, **own}, users=tuple(named), nodes=around))
    for dice in nodes:
        for node in nodes_by(dice, world, top, sorts, fuse=fuse and not flagged, flags=flagged):
            candidate = dataclasses.replace(world, nodes=(*world.nodes, node))
            if not any(problems(candidate)):
                world = candidate
    made = [attempt for dice in attempts for attempt in attempts_by(dice, world, top, operations)]
    return dataclasses.replace(world, attempts=_ordered(made))


def _ordered(attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """Those in a working directory first: that is entered when it is first needed, so it may not have been moved."""
    inside = [attempt for attempt in attempts if attempt.cwd is not None]
    moving = [attempt for attempt in inside if attempt.operation == "rename"]
    return (
        *(attempt for attempt in inside if attempt.operation != "rename"),
        *moving[:1],
        *(attempt for attempt in attempts if attempt.cwd is None),
    )
