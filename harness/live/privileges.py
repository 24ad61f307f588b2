"""What is permitted by capabilities alone, which a security module may withhold (`security_capable` asks them all)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.oracle import decide, linux

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.live.scene import Scene
    from harness.oracle import Decision

COUNTING: Final = frozenset({"CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_CHOWN"})
"""Those that decide over what is wanted of a path."""


def refusal_without(scene: Scene, withheld: Collection[str] = COUNTING) -> Decision | None:
    """What would refuse whoever asks without these capabilities; None where that changes nothing."""
    user = scene.world.user(scene.attempt.user)
    held = (COUNTING if user.uid == 0 else frozenset[str]()) if user.capabilities is None else user.capabilities
    if not held & set(withheld):
        return None
    rules = linux(scene.world.sysctls)
    lesser = scene.with_subject(lambda user: replace(user, capabilities=held - set(withheld)))
    decision = decide(lesser.world, scene.attempt, rules)
    usual = decide(scene.world, scene.attempt, rules)
    return None if (decision.outcome, decision.at) == (usual.outcome, usual.at) else decision
