"""The oracle's front: from a world and attempts to decisions."""

from __future__ import annotations

import dataclasses
import stat
from typing import TYPE_CHECKING

from harness.oracle.decision import Class, Decision
from harness.oracle.evaluation import run
from harness.oracle.filesystem import FileSystem, build
from harness.oracle.reasons import Names, because, letters
from harness.oracle.remedy import remedies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.oracle.filesystem import Inode
    from harness.oracle.lookup import Refused
    from harness.oracle.permission import Permission
    from harness.oracle.rules import Rules
    from harness.oracle.steps import Trial
    from harness.world import Attempt, Principal, World


def decide(world: World, attempt: Attempt, rules: Rules) -> Decision:
    """What a kernel with these rules does with an attempt that is the first in the world.

    The decision on a refusal carries the smallest changes that would turn it. The world must be complete and
    without problems (`harness.world.complete`, `harness.world.problems`).
    """
    return predict(world, (attempt,), rules, changes=True)[0]


def predict(world: World, attempts: Sequence[Attempt], rules: Rules, *, changes: bool = False) -> list[Decision]:
    """What a kernel does with attempts that are made in this order, each with the effects of those before it.

    Looking for the changes that would turn a refusal takes many times as long as the decision itself, so that is
    done only if asked for.
    """
    system = build(world)
    names = Names(world)
    decisions = []
    for written in attempts:
        before, attempt = system, _numbered(world, written)
        decision, system = judged(before, world.principal(attempt.user), attempt, rules, names)
        if changes and decision.outcome != "ok":
            decision = dataclasses.replace(decision, changes=remedies(before, world, attempt, rules, names))
        decisions.append(decision)
    return decisions


def _numbered(world: World, attempt: Attempt) -> Attempt:
    """The attempt with numbers for the names that chown is given."""
    owner, group = attempt.owner, attempt.group
    if owner is None and group is None:
        return attempt
    return dataclasses.replace(
        attempt,
        owner=None if owner is None else world.uid(owner),
        group=None if group is None else world.gid(group),
    )


def judged(
    system: FileSystem, principal: Principal, attempt: Attempt, rules: Rules, names: Names
) -> tuple[Decision, FileSystem]:
    """The decision on one attempt in a file system, and the file system afterwards."""
    trial, refused = run(system, principal, attempt, rules)
    at, there, answer = trial.at, "", trial.answer
    inode: Inode | None = None
    if refused is not None:
        at = there = refused.at
        answer, inode = refused.answer, None if refused.spot is None else system.shown(refused.spot)
    elif trial.asked is not None:
        there, inode = trial.asked.path, system.shown(trial.asked)
    applied, clause, needs, has = _permission(principal, inode, answer, names, rules)
    return (
        Decision(
            outcome="ok" if refused is None else refused.outcome,
            at=at,
            applied=applied,
            because=clause,
            needs=needs,
            has=has,
            why=_sentence(attempt, at, there, refused, applied, clause, needs, has),
            layer=None if refused is None else refused.layer,
            seen=_seen(trial) if refused is None and attempt.operation == "stat" else None,
        ),
        trial.system,
    )


def _seen(trial: Trial) -> str:
    inode = trial.inode
    return f"{stat.filemode(_KINDS[inode.kind] | inode.mode)} {inode.uid} {inode.gid}"


_KINDS = {
    "directory": stat.S_IFDIR,
    "socket": stat.S_IFSOCK,
    "file": stat.S_IFREG,
    "fifo": stat.S_IFIFO,
    "symlink": stat.S_IFLNK,
}


def _permission(
    principal: Principal, inode: Inode | None, answer: Permission | None, names: Names, rules: Rules
) -> tuple[Class | None, str, str, str]:
    if inode is None or answer is None:
        return None, "", "", ""
    applied: Class = answer.entitlement.applied if answer.passed is None else "capability"
    return (
        applied,
        because(principal, inode, answer, names, rules),
        letters(answer.wanted),
        letters(answer.entitlement.bits),
    )


def _sentence(
    attempt: Attempt,
    at: str,
    there: str,
    refused: Refused | None,
    applied: Class | None,
    clause: str,
    needs: str,
    has: str,
) -> str:
    if refused is not None and refused.why:
        first = refused.why.split(" ", 1)[0]  # a name such as sun_path or a path keeps its own case
        return f"{refused.why[0].upper() if first.isalpha() else refused.why[0]}{refused.why[1:]}."
    if refused is not None:
        missing = "".join(letter for letter in needs if letter not in has)
        return f"{attempt.user} lacks {missing} on {there}. {_class(applied, clause, has)}"
    may = f"{attempt.user} may {attempt.operation} {at}"
    if not clause:
        return f"{may}: no permission is asked for."
    if applied == "capability":
        return f"{may}: {clause}."
    return f"{may}. {_class(applied, clause, has, '' if there == at else f' on {there}')}"


def _class(applied: Class | None, clause: str, has: str, where: str = "") -> str:
    return f"The class {applied} applies{where}: {clause}. It grants {has or 'nothing'}."
