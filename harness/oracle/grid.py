"""One attempt for every mode of two nodes at once: 262,144 decisions in the time of a few dozen.

It is the same oracle. The steps see a node's permission bits only through `permission()`, so two modes for which every
answer of `permission()` is the same have the same outcome. Of each such set of modes one is decided.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.oracle.evaluation import run
from harness.oracle.filesystem import FileSystem, build
from harness.oracle.lookup import Lookup
from harness.oracle.permission import permission
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.oracle.rules import Rules
    from harness.world import Attempt, Principal, World

MODES: Final = 512
"""How many modes there are without setuid, setgid and sticky."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The outcome for each pair of modes.

    `cells[first * MODES + second]` is an index into `outcomes`, which are pairs of the outcome and the component
    that decides.
    """

    outcomes: tuple[tuple[str, str], ...]
    cells: bytes

    def outcome(self, first: int, second: int) -> tuple[str, str]:
        """Outcome and deciding component for two modes."""
        return self.outcomes[self.cells[first * MODES + second]]


def grid(world: World, attempt: Attempt, rules: Rules, first: str, second: str) -> Grid:
    """Decide an attempt, the first in its world, for every pair of modes (0 to 0777) of two of the world's nodes.

    `first` and `second` are absolute paths of different nodes without an ACL.
    """
    system = build(world)
    principal = world.principal(attempt.user)
    numbers = [Lookup(system, ROOT, rules, system.root()).to(path, follow=False).inode for path in (first, second)]
    rows, columns = (_alike(system, number, principal, rules) for number in numbers)
    outcomes: dict[tuple[str, str], int] = {}
    decided: dict[tuple[int, int], int] = {}
    for row in set(rows):
        for column in set(columns):
            trial, refused = run(
                _with_mode(_with_mode(system, numbers[0], row), numbers[1], column), principal, attempt, rules
            )
            outcome = ("ok", trial.at) if refused is None else (refused.outcome, refused.at)
            decided[row, column] = outcomes.setdefault(outcome, len(outcomes))
    lines = {row: bytes(decided[row, column] for column in columns) for row in set(rows)}
    return Grid(tuple(outcomes), b"".join(lines[row] for row in rows))


def _with_mode(system: FileSystem, number: int, mode: int) -> FileSystem:
    return system.with_inode(number, dataclasses.replace(system.inodes[number], mode=mode))


def _alike(system: FileSystem, number: int, principal: Principal, rules: Rules) -> list[int]:
    """For each mode the smallest one that gives the same answers to everything that can be wanted."""
    inode = system.inodes[number]
    seen: dict[tuple[bool, ...], int] = {}
    alike = []
    for mode in range(MODES):
        there = dataclasses.replace(inode, mode=mode)
        answers = tuple(permission(principal, there, wanted, rules).granted for wanted in range(1, 8))
        alike.append(seen.setdefault(answers, mode))
    return alike
