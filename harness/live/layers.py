"""Every layer that may refuse an attempt, each by itself: passed, refused or not looked at.

What could not be looked at is never called passed, and what is to be done about it stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.live import apparmor, landlock, other_modules, selinux
from harness.live.confinement import CALLS, has_filters
from harness.live.layer_state import LayerState
from harness.live.security_modules import active_modules

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

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


@dataclass(frozen=True, slots=True)
class Found:
    """What the permissions, the flags and the socket answer: each layer that refuses, with what it says.

    `stopped` is why what comes behind could not be looked at, None where all was; `beyond` are the layers that this
    concerns, and `look` what to do about it.
    """

    refused: Mapping[Layer, str]
    stopped: str | None = None
    beyond: Collection[Layer] = ()
    look: str = ""


def ask(actor: Actor, scene: Scene) -> tuple[Answer, ...]:
    """What the security modules say."""
    active = active_modules()
    return tuple(module.answer(actor, scene, active) for module in (selinux, apparmor, landlock, other_modules))


def layer_states(actor: Actor, scene: Scene, found: Found, answers: Sequence[Answer]) -> tuple[LayerState, ...]:
    """Each layer that has a say in what is wanted, in the kernel's order."""
    operation, abstract = scene.attempt.operation, scene.attempt.path.startswith("@")
    order = ORDER if operation == "connect" or abstract else ORDER_OF_NAMES
    states = {state.layer: state for state in _states(actor, scene, found, answers)}
    return tuple(states[layer] for layer in order if layer in states and not (abstract and layer in _OF_PATHS))


_OF_PATHS: Final[frozenset[Layer]] = frozenset({"path", "inode flags"})


def _states(actor: Actor, scene: Scene, found: Found, answers: Sequence[Answer]) -> Iterator[LayerState]:
    operation = scene.attempt.operation
    own: tuple[Layer, ...] = ("path", "inode flags", "socket")
    for layer in own:
        if layer in found.refused:
            yield LayerState(layer, "refused", found.refused[layer])
        elif layer in found.beyond:
            yield LayerState(layer, "not looked at", found.stopped or "", found.look)
        else:
            yield LayerState(layer, "passed")
    yield _filter(actor, operation, found)
    for answer in answers:
        if answer.obstacles:
            refusal = answer.obstacles[0]
            yield LayerState(refusal.layer, "refused", f"{refusal.outcome} at {refusal.at}: {refusal.why}")
        elif answer.state is not None:
            yield answer.state


def _filter(actor: Actor, operation: Operation, found: Found) -> LayerState:
    """The filter of system calls."""
    doubt = actor.filtered.doubt(operation)
    if "seccomp" in found.refused:
        return LayerState("seccomp", "refused", found.refused["seccomp"])
    if doubt is not None:
        return LayerState("seccomp", "not looked at", doubt)
    if operation not in CALLS and actor.process is not None and has_filters(actor.pid):
        why = f"process {actor.pid} has a filter, and filters are read for {', '.join(CALLS)} alone"
        return LayerState("seccomp", "not looked at", why, f"try it as that process: strace -p {actor.pid}")
    return LayerState("seccomp", "passed", _without_process(actor))


def _without_process(actor: Actor) -> str:
    """Why a filter does not refuse who does not run yet."""
    if actor.process is not None:
        return ""
    return "a new login has no filter" if actor.unit is None else f"the options of {actor.unit.name} allow it"
