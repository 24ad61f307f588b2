"""Every layer that may refuse an attempt, each by itself: passed, refused or not looked at.

What could not be looked at is never called passed, and what is to be done about it stands beside it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.live import apparmor, landlock, other_modules, selinux
from harness.live.layer_state import LayerState
from harness.live.security_modules import active_modules
from harness.world import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.layer_state import Answer
    from harness.live.scene import Scene
    from harness.oracle import Layer
    from harness.world import Operation

ORDER: Final[tuple[Layer, ...]] = (
    "seccomp",
    "path",
    "inode flags",
    "SELinux",
    "socket",
    "Landlock",
    "AppArmor",
    "other modules",
)
"""The layers as a connection first meets them: the filter at the call (kernel/entry), permissions, flags and SELinux's
hook at each component (`inode_permission` in fs/namei.c), the socket (`unix_find_bsd` and `unix_stream_connect` in
net/unix/af_unix.c), and at its end the modules' hook on both ends (`security_unix_stream_connect`).
"""
ORDER_OF_NAMES: Final[tuple[Layer, ...]] = (
    "seccomp",
    "path",
    "inode flags",
    "Landlock",
    "AppArmor",
    "other modules",
    "SELinux",
)
"""What makes, takes or changes names first meets the hooks on paths (`security_path_mknod` and others in fs/namei.c),
and at its end those on inodes (`vfs_mknod` and others there), which are SELinux's.
"""


LOOKED_AT: Final[tuple[Layer, ...]] = ("path", "inode flags", "socket")
"""The layers that are looked at by reading what the path leads to."""
_OF_PATHS: Final[frozenset[Layer]] = frozenset({"path", "inode flags"})


@dataclass(frozen=True, slots=True)
class Stop:
    """Why some layers could not be looked at any further, and what to do about it."""

    why: str
    layers: tuple[Layer, ...]
    look: str = ""


def ask(actor: Actor, scene: Scene) -> tuple[Answer, ...]:
    """What the security modules say, which Linux alone has."""
    if sys.platform != "linux":
        return ()
    active = active_modules()
    return tuple(module.answer(actor, scene, active) for module in (selinux, apparmor, landlock, other_modules))


def layer_states(
    actor: Actor, scene: Scene, refused: Mapping[Layer, str], stop: Stop | None, answers: Sequence[Answer]
) -> tuple[LayerState, ...]:
    """Each layer that has a say in what is wanted, in the kernel's order.

    `refused` are those of the permissions, the flags, the socket and the filter that refuse, with what they say.
    """
    operation, abstract = scene.attempt.operation, scene.attempt.path.startswith("@")
    order = ORDER if operation == "connect" or abstract else ORDER_OF_NAMES
    states = {state.layer: state for state in _states(actor, scene, refused, stop, answers)}
    return tuple(states[layer] for layer in order if layer in states and not (abstract and layer in _OF_PATHS))


def _states(
    actor: Actor, scene: Scene, refused: Mapping[Layer, str], stop: Stop | None, answers: Sequence[Answer]
) -> Iterator[LayerState]:
    for layer in LOOKED_AT:
        if layer in refused:
            yield LayerState(layer, "refused", refused[layer])
        elif stop is not None and layer in stop.layers:
            yield LayerState(layer, "not looked at", stop.why, stop.look)
        else:
            yield LayerState(layer, "passed")
    yield _filter(actor, scene.attempt.operation, refused)
    for answer in answers:
        if answer.obstacles:
            refusal = answer.obstacles[0]
            yield LayerState(refusal.layer, "refused", f"{refusal.outcome} at {refusal.at}: {refusal.why}")
        elif answer.state is not None:
            yield answer.state


def _filter(actor: Actor, operation: Operation, refused: Mapping[Layer, str]) -> LayerState:
    """The filter of system calls."""
    doubt = actor.filtered.doubt(operation)
    if "seccomp" in refused:
        return LayerState("seccomp", "refused", refused["seccomp"])
    if doubt is not None:
        return LayerState("seccomp", "not looked at", doubt)
    if operation not in CALLS and actor.filtered.any:
        why = f"process {actor.pid} has a filter, and filters are read for {', '.join(CALLS)} alone"
        return LayerState("seccomp", "not looked at", why, f"try it as that process: strace -p {actor.pid}")
    return LayerState("seccomp", "passed", _without_process(actor))


def _without_process(actor: Actor) -> str:
    """Why a filter does not refuse who does not run yet."""
    if actor.process is not None:
        return ""
    return "a new login has no filter" if actor.unit is None else f"the options of {actor.unit.name} allow it"
