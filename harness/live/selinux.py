"""What SELinux says: the contexts of process, path and listener, and the policy's answer to them (selinux(8))."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.live.layer_state import LayerState, inactive

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.live.actor import Actor
    from harness.live.scene import Scene

FOLDER: Final = "/sys/fs/selinux"


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> LayerState:
    """What SELinux has to say."""
    del scene
    if active is not None and "selinux" not in active:
        return inactive("SELinux")
    look = "look for a denial: ausearch -m AVC -ts recent"
    if not enforcing():
        return LayerState("SELinux", "passed", "permissive: it refuses nothing")
    if actor.process is None:
        return LayerState("SELinux", "not looked at", "the context of a new login is not known: ask with --pid", look)
    return LayerState("SELinux", "not looked at", f"it holds process {actor.pid}, and may refuse it", look)


def enforcing() -> bool:
    """Whether SELinux refuses anything; where that can't be read it is taken to."""
    try:
        return Path(FOLDER, "enforce").read_text("ascii").strip() != "0"
    except OSError:
        return True
