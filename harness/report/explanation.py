"""A judgement in words and as a tree."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from harness.live.sandbox import SHOWN as SANDBOX
from harness.oracle import Layer
from harness.report.drawing import operation_and_path, reason, tree
from harness.report.text import Line, Span, Style, visible
from harness.report.trail import ROOT_DIRECTORY, Trails
from harness.world import Node

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.judgement import Judgement
    from harness.live.layer_state import LayerState, State
    from harness.live.scene import Scene
    from harness.live.trial import Tried

_PERMISSIONS: Final = frozenset({"acl", "chgrp", "chmod", "chown", "membership"})
_STYLES: Final[Mapping[State, Style]] = {"passed": "allowed", "refused": "refused", "not looked at": "warning"}
IDENTITY: Final = ("User", "Group", "SupplementaryGroups", "DynamicUser", "UMask", "AmbientCapabilities")
"""The options of a service that say who it is."""
SHOWN: Final = 4
"""Of those whom a change lets in too."""


def explain(actor: Actor, scene: Scene, judgement: Judgement, *, tabled: bool = True) -> list[Line]:
    """Who wants what and how it ends; the path, the refusing component marked; why, and what would help.

    `tabled`: and each layer's answer.
    """
    decision = judgement.decision
    outcome: list[Span]
    if not judgement.conclusive:
        where = f"at {scene.attempt.path}" if scene.hidden is None else f"beyond {scene.hidden}"
        outcome = [Span("not known", "warning"), Span(f" {visible(where)}")]
    elif decision.outcome == "ok":
        outcome = [Span("ok", "allowed"), *_reservation(judgement)]
    else:
        outcome = [Span(decision.outcome, "refused"), Span(f" at {visible(decision.at)}")]
    trails = Trails(scene.world, _root(scene))
    lines: list[Line] = [
        (Span(f"{_who(actor)} {operation_and_path(scene.attempt)}: ", "strong"), *outcome),
        *tree(
            scene.world,
            trails.deciding(scene.attempt, decision.at),
            decision,
            hidden=None if judgement.conclusive and decision.at == scene.hidden else scene.hidden,
            titles=scene.titles,
        ),
    ]
    lines += _unit(actor)
    if judgement.conclusive:
        lines += reason(replace(decision, changes=()))
        lines += _fixes(judgement)
    lines += _server(scene, judgement)
    told = {state.why for state in judgement.layers if tabled}
    notes = (note for note in judgement.notes if note not in told)
    lines += [(Span("  note   ", "dim"), Span(visible(note), "warning")) for note in notes]
    lines += layers(judgement.layers) if tabled else []
    return lines


def _root(scene: Scene) -> Node:
    """The root directory as it was seen."""
    if scene.root is None:
        return ROOT_DIRECTORY
    status = scene.root.status
    return Node("/", "directory", status.st_uid, status.st_gid, status.st_mode & 0o7777)


def _unit(actor: Actor) -> list[Line]:
    """The service that is meant: its main process, or what its files say."""
    if actor.unit is None:
        return []
    if actor.process is not None:
        told = f"{actor.unit.name} runs: this is its main process, {actor.process.pid} ({actor.process.name})"
    else:
        files = actor.unit.files
        assert files is not None
        options = [f"{key}={value}" for key in (*IDENTITY, *SANDBOX) if (value := " ".join(files.words(key)))]
        said = "; ".join(options) or "no user and no sandbox"
        told = f"{actor.unit.name} does not run; {', '.join(files.files)}: {said}"
    return [(Span("  unit   ", "dim"), Span(visible(told)))]


def _reservation(judgement: Judgement) -> list[Span]:
    """What an `ok` leaves open."""
    names = " and ".join(state.layer for state in judgement.left_open)
    return [Span(f" but for {names}, not looked at", "warning")] if names else []


def layers(states: Sequence[LayerState]) -> list[Line]:
    """Each layer that may refuse, in the kernel's order: passed, refused or not looked at."""
    lines: list[Line] = []
    active = [one for one in states if one.active]
    width = max(map(len, get_args(Layer)))
    for state in active:
        told = f": {state.why}" if state.why else ""
        told += f"; {state.look}" if state.look else ""
        lines.append(
            (
                Span("  layer  ", "dim"),
                Span(f"{state.layer:{width}}  "),
                Span(state.state, _STYLES[state.state]),
                Span(visible(told), "dim" if state.state == "passed" else "plain"),
            )
        )
    absent = [one.layer for one in states if not one.active]
    if absent:
        lines.append((Span(f"  layer  not active in this kernel: {', '.join(absent)}", "dim"),))
    return lines


def comparison(judgement: Judgement, trial: Tried) -> list[Line]:
    """What the kernel said to an attempt that was really made, beside what the model says."""
    outcome = trial.outcome
    lines: list[Line] = [
        (
            Span("  tried  ", "dim"),
            Span(outcome, "allowed" if outcome == "ok" else "refused"),
            Span(", says the kernel"),
        )
    ]
    if judgement.conclusive and judgement.decision.outcome != outcome:
        between = ", or ".join(trial.between)
        text = f"the model says {judgement.decision.outcome}: what may be in between is {between}"
        lines.append((Span("  BUT    ", "refused"), Span(visible(text), "warning")))
    return lines


def _fixes(judgement: Judgement) -> list[Line]:
    fixes: list[Line] = [(Span(visible(remedy), "strong"),) for remedy in judgement.remedies]
    for change in judgement.advice.changes:
        admitted = f"  (lets in {' and '.join(visible(_number(who)) for who in change.admits[:SHOWN])} too)"
        admitted = admitted if change.admits and _PERMISSIONS & set(change.what.split(" and ")) else ""
        fixes.append((Span(visible(change.text), "strong"), Span(admitted, "dim")))
    return [(Span("  or     " if number else "  fix    ", "dim"), *fix) for number, fix in enumerate(fixes)]


def _number(who: str) -> str:
    """The number of an id without a name, as a world has to name it."""
    return re.sub(r"\b[ug]id-(\d+)\b", r"\1", who)


def _server(scene: Scene, judgement: Judgement) -> list[Line]:
    """Who holds the socket, since when, and its queue."""
    listener = scene.listener
    if listener is None or listener.inode is None or not judgement.conclusive:
        return []
    facts = [
        f"process {one.pid} ({one.name}), uid {one.uid}, since {time.strftime('%F %T', time.localtime(one.since))}"
        for one in judgement.advice.holders[:1]
    ]
    if not facts:
        owner = "" if listener.uid is None else f" of uid {listener.uid}"
        facts.append(f"a process{owner} that was not found")
    if len(judgement.advice.holders) > 1:
        facts[0] += " and others"
    if listener.room is not None and listener.state == "listening":
        facts.append(f"queue {listener.waiting} of {listener.room}")
    return [(Span("  server ", "dim"), Span(visible("; ".join(facts))))]


def _who(actor: Actor) -> str:
    principal = actor.principal
    groups = [f"{actor.accounts.group(gid) or ''}({gid})" for gid in principal.groups]
    text = f"{actor.name} [uid {principal.uid}, gid {principal.gid}, groups {' '.join(groups) or 'none'}"
    if principal.capabilities is not None:
        text += f", capabilities {' '.join(sorted(principal.capabilities)) or 'none'}"
    return visible(text) + "]"
