"""A scene as a world that can be built elsewhere: only what decides, and no more names than that takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.live.judgement import Judgement
    from harness.live.scene import Scene
    from harness.world import Node, World

_CHANGING = frozenset({"bind", "unlink", "rename", "chmod"})


def captured(scene: Scene, judgement: Judgement) -> World:
    """The world, its attempt with the outcome that is predicted for this machine.

    Mounts count only where something is to be changed; elsewhere a mounted directory is one like any other.
    """
    decision = judgement.decision
    attempt = replace(scene.attempt, expect=decision.outcome, at=None if decision.outcome == "ok" else decision.at)
    nodes = scene.world.nodes
    if scene.attempt.operation not in _CHANGING:
        nodes = tuple(_unmounted(node) for node in nodes)
    return replace(scene.world, nodes=nodes, attempts=(attempt,))


def _unmounted(node: Node) -> Node:
    return replace(node, kind="directory", fs=None, options=()) if node.kind == "mount" else node
