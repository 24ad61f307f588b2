"""One attempt taken through the steps of one kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import Lookup, Refused
from harness.oracle.rules import LAYERS
from harness.oracle.steps import STEPS, Trial
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.oracle.filesystem import FileSystem, Spot
    from harness.oracle.rules import Procedure, Rules, StepName
    from harness.world import Attempt, Principal


def run(system: FileSystem, principal: Principal, attempt: Attempt, rules: Rules) -> tuple[Trial, Refused | None]:
    """What became of an attempt, and what refused it, if anything did."""
    trial = Trial(system, principal, attempt, rules, system.root())
    step: StepName = "length"
    try:
        if attempt.root is not None:
            trial.top = trial.lookup.top = trial.lookup.start = _entered(system, attempt.root, rules, trial.top, "root")
        if attempt.cwd is not None:
            trial.lookup.start = _entered(system, attempt.cwd, rules, trial.top, "working")
        for step in rules.steps[_procedure(attempt, rules)]:
            STEPS[step](trial)
            if trial.settled:
                break
    except Refused as refused:
        refused.layer = refused.layer or LAYERS.get(step, "path")
        return trial, refused
    return trial, None


def _procedure(attempt: Attempt, rules: Rules) -> Procedure:
    if rules.abstract and attempt.path.startswith("@"):
        if attempt.operation == "connect":
            return "connect abstract"
        if attempt.operation == "bind":
            return "bind abstract"
    return attempt.operation


def _entered(system: FileSystem, path: str, rules: Rules, top: Spot, sort: str) -> Spot:
    """A working directory or root directory: root enters it beforehand."""
    lookup = Lookup(system, ROOT, rules, top)
    spot = lookup.to(path, follow=True)
    if system.inodes[spot.inode].kind != "directory":
        raise Refused("ENOTDIR", spot.path, f"the {sort} directory {spot.path} is not a directory")
    lookup.search(spot)
    return spot
