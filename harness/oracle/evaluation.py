"""One attempt taken through the steps of one kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import Lookup, Refused
from harness.oracle.steps import STEPS, Trial
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.oracle.filesystem import FileSystem, Spot
    from harness.oracle.rules import Procedure, Rules
    from harness.world import Attempt, Principal


def run(system: FileSystem, principal: Principal, attempt: Attempt, rules: Rules) -> tuple[Trial, Refused | None]:
    """What became of an attempt, and what refused it, if anything did."""
    trial = Trial(system, principal, attempt, rules, system.root())
    try:
        if attempt.cwd is not None:
            trial.lookup.start = _working_directory(system, attempt.cwd, rules)
        for step in rules.steps[_procedure(attempt, rules)]:
            STEPS[step](trial)
            if trial.settled:
                break
    except Refused as refused:
        return trial, refused
    return trial, None


def _procedure(attempt: Attempt, rules: Rules) -> Procedure:
    if rules.abstract and attempt.path.startswith("@"):
        if attempt.operation == "connect":
            return "connect abstract"
        if attempt.operation == "bind":
            return "bind abstract"
    return attempt.operation


def _working_directory(system: FileSystem, path: str, rules: Rules) -> Spot:
    """Root enters it beforehand."""
    spot = Lookup(system, ROOT, rules, system.root()).to(path, follow=True)
    if system.inodes[spot.inode].kind != "directory":
        raise Refused("ENOTDIR", spot.path, f"the working directory {spot.path} is no directory")
    return spot
