"""A judgement as plain data, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.live.actor import Actor
    from harness.live.judgement import Judgement
    from harness.live.layer_state import LayerState
    from harness.live.scene import Scene
    from harness.live.trial import Tried


def explanation_object(actor: Actor, scene: Scene, judgement: Judgement, trial: Tried | None) -> dict[str, object]:
    """Who wants what, how it ends, and each layer's answer. `outcome` is null where it is not known.

    `allowed` is what the exit status says; `tried` is the kernel's own word, null where nothing was tried.
    """
    decision, principal, known = judgement.decision, actor.principal, judgement.conclusive
    return {
        "user": actor.name,
        "uid": principal.uid,
        "gid": principal.gid,
        "groups": list(principal.groups),
        "operation": scene.attempt.operation,
        "path": scene.attempt.path,
        "outcome": decision.outcome if known else None,
        "at": decision.at if known else None,
        "layer": decision.layer if known else None,
        "why": decision.why if known else None,
        "tried": None if trial is None else trial.outcome,
        "allowed": judgement.allowed if trial is None else trial.outcome == "ok",
        "layers": [_layer(state) for state in judgement.layers],
        "fixes": [*judgement.remedies, *(change.text for change in judgement.advice.changes)],
        "notes": list(judgement.notes),
    }


def _layer(state: LayerState) -> dict[str, object]:
    return {
        "layer": state.layer,
        "state": state.state,
        "active": state.active,
        "why": state.why,
        "look": state.look,
    }
