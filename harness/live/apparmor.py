"""What AppArmor says: the profile that holds a process (apparmor(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.live.confinement import enforced_label
from harness.live.layer_state import LayerState, inactive

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.live.actor import Actor
    from harness.live.scene import Scene


def answer(actor: Actor, scene: Scene, active: Collection[str] | None) -> LayerState:
    """What AppArmor has to say."""
    del scene
    if active is not None and "apparmor" not in active:
        return inactive("AppArmor")
    if actor.process is None and actor.unit is not None:
        why = f"which profile holds {actor.unit.name} is told while it runs"
        return LayerState("AppArmor", "not looked at", why, f"start it: systemctl start {actor.unit.name}")
    if actor.process is None:
        return LayerState("AppArmor", "passed", "a new login is unconfined; a program with a profile: ask with --pid")
    label = enforced_label(actor.pid)
    if label == "":
        return LayerState("AppArmor", "passed", f"it holds process {actor.pid} to nothing (unconfined, or complain)")
    if label is None:
        why = f"the label of process {actor.pid} can't be read"
        return LayerState("AppArmor", "not looked at", why, "run this as root")
    why = f"the profile {label} holds process {actor.pid}, and may refuse it"
    return LayerState("AppArmor", "not looked at", why, "look for a denial: journalctl -k --grep 'apparmor=\"DENIED\"'")
