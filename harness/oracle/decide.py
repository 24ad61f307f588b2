"""The oracle's front: from a world and attempts to decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.decision import Class, Decision
from harness.oracle.filesystem import FileSystem, Spot, build
from harness.oracle.operations import STEPS, Trial
from harness.oracle.walk import Refused, Walk
from harness.oracle.words import Names, because, letters
from harness.world import Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.oracle.filesystem import Inode
    from harness.oracle.permission import Permission
    from harness.oracle.rules import Rules
    from harness.world import Attempt, World

ROOT = Principal(0, 0)


def decide(world: World, attempt: Attempt, rules: Rules) -> Decision:
    """What a kernel with these rules owes to an attempt that is the first in the world.

    The world must be complete and without problems (`harness.world.complete`, `harness.world.problems`).
    """
    return predict(world, (attempt,), rules)[0]


def predict(world: World, attempts: Sequence[Attempt], rules: Rules) -> list[Decision]:
    """What a kernel owes to attempts that are made in this order, each with the effects of those before it."""
    system = build(world)
    names = Names(world)
    decisions = []
    for attempt in attempts:
        decision, system = judged(system, world.principal(attempt.user), attempt, rules, names)
        decisions.append(decision)
    return decisions


def judged(
    system: FileSystem, principal: Principal, attempt: Attempt, rules: Rules, names: Names
) -> tuple[Decision, FileSystem]:
    """The decision on one attempt in a file system, and the file system afterwards."""
    trial, refused = run(system, principal, attempt, rules)
    at, answer, asked = trial.at, trial.answer, trial.asked
    if refused is not None:
        at, answer, asked = refused.at, refused.answer, refused.inode
    inode = None if asked is None else system.inodes[asked]
    applied, clause, needs, has = _permission(principal, inode, answer, names)
    return (
        Decision(
            outcome="ok" if refused is None else refused.outcome,
            at=at,
            applied=applied,
            because=clause,
            needs=needs,
            has=has,
            why=_sentence(attempt, at, refused, clause, needs, has),
        ),
        trial.system,
    )


def run(system: FileSystem, principal: Principal, attempt: Attempt, rules: Rules) -> tuple[Trial, Refused | None]:
    """Take one attempt through its steps."""
    trial = Trial(system, principal, attempt, rules, system.root())
    try:
        trial.start = trial.walk.start = _start(system, attempt, rules)
        for step in rules.steps[_steps_of(attempt, rules)]:
            STEPS[step](trial)
            if trial.settled:
                break
    except Refused as refused:
        return trial, refused
    return trial, None


def _steps_of(attempt: Attempt, rules: Rules) -> str:
    abstract = rules.abstract and attempt.path.startswith("@") and attempt.operation in {"connect", "bind"}
    return f"{attempt.operation} abstract" if abstract else attempt.operation


def _start(system: FileSystem, attempt: Attempt, rules: Rules) -> Spot:
    """The working directory, which root enters beforehand."""
    if attempt.cwd is None:
        return system.root()
    walk = Walk(system, ROOT, rules, system.root())
    spot = walk.to(attempt.cwd, follow=True)
    if system.inodes[spot.inode].kind != "directory":
        raise Refused("ENOTDIR", spot.path, f"the working directory {spot.path} is no directory")
    return spot


def _permission(
    principal: Principal, inode: Inode | None, answer: Permission | None, names: Names
) -> tuple[Class | None, str, str, str]:
    if inode is None or answer is None:
        return None, "", "", ""
    applied: Class = answer.entitlement.applied if answer.passed is None else "capability"
    return (
        applied,
        because(principal, inode, answer, names),
        letters(answer.wanted),
        letters(answer.entitlement.bits),
    )


def _sentence(attempt: Attempt, at: str, refused: Refused | None, clause: str, needs: str, has: str) -> str:
    if refused is not None and refused.why:
        return f"{refused.why[0].upper()}{refused.why[1:]}."
    if refused is not None:
        missing = "".join(letter for letter in needs if letter not in has)
        return f"{attempt.user} lacks {missing} on {at}: {clause}, and has {has or 'nothing'} there."
    if clause:
        return f"{attempt.user} may {attempt.operation} {at}: {clause}."
    return f"{attempt.user} may {attempt.operation} {at}: no permission is asked for."
