"""Verdicts laid out as a matrix of users and paths. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.drawing import operation_and_path
from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.engines.protocol import Facts
    from harness.trials.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Matrix:
    """Labels of rows and columns, and for each (row, column) the indices of its verdicts, in their order.

    The longer side goes down: users where there are more users than paths, else paths.
    """

    corner: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[int, ...]]


def matrix_of(verdicts: Sequence[Verdict]) -> Matrix:
    """Lay verdicts out; users and paths keep the order in which they were first tried."""
    users: dict[str, None] = {}
    paths: dict[str, None] = {}
    cells: dict[tuple[str, str], list[int]] = {}
    for index, verdict in enumerate(verdicts):
        user, path = visible(verdict.attempt.user), operation_and_path(verdict.attempt)
        users[user] = paths[path] = None
        cells.setdefault((user, path), []).append(index)
    if len(users) > len(paths):
        return Matrix("user", tuple(users), tuple(paths), {place: tuple(indices) for place, indices in cells.items()})
    return Matrix(
        "path",
        tuple(paths),
        tuple(users),
        {(path, user): tuple(indices) for (user, path), indices in cells.items()},
    )


def deciding_sysctls(facts: Facts) -> list[tuple[str, int]]:
    """Those of a place's sysctls that can turn an attempt, by name; the others are in the JSON summary."""
    deciding = ("fs.protected_hardlinks", "fs.protected_symlinks")
    return [(name, facts.sysctls[name]) for name in deciding if name in facts.sysctls]
