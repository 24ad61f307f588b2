"""A judgement in words and as a tree."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.report.drawing import operation_and_path, reason, tree
from harness.report.text import Line, Span, visible
from harness.report.trail import Trails

if TYPE_CHECKING:
    from harness.live.actor import Actor
    from harness.live.judgement import Judgement
    from harness.live.scene import Scene


def explain(actor: Actor, scene: Scene, judgement: Judgement) -> list[Line]:
    """Who wants what and how it ends; the path, the refusing component marked; why, and what would help."""
    decision = judgement.decision
    outcome: list[Span]
    if not judgement.conclusive:
        where = f"at {scene.attempt.path}" if scene.hidden is None else f"beyond {scene.hidden}"
        outcome = [Span("not known", "warning"), Span(f" {visible(where)}")]
    elif decision.outcome == "ok":
        outcome = [Span("ok", "allowed")]
    else:
        outcome = [Span(decision.outcome, "refused"), Span(f" at {visible(decision.at)}")]
    trails = Trails(scene.world)
    lines: list[Line] = [
        (Span(f"{_who(actor)} {operation_and_path(scene.attempt)}: ", "strong"), *outcome),
        *tree(scene.world, trails.deciding(scene.attempt, decision.at), decision, hidden=scene.hidden),
    ]
    if judgement.conclusive:
        spoken = tuple(replace(change, text=_spoken(change.text, actor)) for change in judgement.changes)
        lines += reason(replace(decision, changes=spoken), remedies=judgement.remedies, widening=False)
    lines += [(Span("  note   ", "dim"), Span(visible(note), "warning")) for note in judgement.notes]
    return lines


def _spoken(text: str, actor: Actor) -> str:
    """A change as a command of this machine, where a uid without a name can't be called by one."""
    if actor.database is None:
        text = re.sub(r"usermod -aG (\S+) \S+( && )?", r"give the process the supplementary group \1\2", text)
        text = text.removesuffix("  # and log in again")
    return re.sub(r"\b[ug]id-(\d+)\b", r"\1", text)


def _who(actor: Actor) -> str:
    principal = actor.principal
    groups = [f"{actor.accounts.group(gid) or ''}({gid})" for gid in principal.groups]
    text = f"{actor.name} [uid {principal.uid}, gid {principal.gid}, groups {' '.join(groups) or 'none'}"
    if principal.capabilities is not None:
        text += f", capabilities {' '.join(sorted(principal.capabilities)) or 'none'}"
    return visible(text) + "]"
