"""Decision against observation: the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.engines.protocol import Observation
    from harness.oracle.decision import Decision
    from harness.world import Attempt


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one attempt should have done, what it did, and where the two part.

    `differences` is empty when all agree; each entry is one sentence. The world's own claims (`expect`, `at`) are
    compared with both sides.
    """

    attempt: Attempt
    decision: Decision
    observation: Observation
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether the oracle, the kernel and the world's author say the same."""
        return not self.differences


def judge(attempt: Attempt, decision: Decision, observation: Observation) -> Verdict:
    """Hold an observation against a decision, and both against the attempt's own claims."""
    return Verdict(attempt, decision, observation, tuple(_differences(attempt, decision, observation)))


def _differences(attempt: Attempt, decision: Decision, observation: Observation) -> list[str]:
    said: list[str] = []
    what = f"{attempt.user} {attempt.operation} {attempt.path}"
    if decision.outcome != observation.outcome:
        said.append(f"{what}: the oracle says {decision.outcome}, the kernel did {observation.outcome}")
    elif observation.at is not None and decision.at != observation.at:
        said.append(f"{what}: the oracle says that {decision.at} refuses, the kernel refused at {observation.at}")
    if None not in {decision.seen, observation.seen} and decision.seen != observation.seen:
        said.append(f"{what}: the oracle says that {decision.seen} is there, the kernel shows {observation.seen}")
    for side, outcome, at in (
        ("the oracle says", decision.outcome, decision.at),
        ("the kernel did", observation.outcome, observation.at),
    ):
        if attempt.expect is not None and attempt.expect != outcome:
            said.append(f"{what}: the world expects {attempt.expect}, {side} {outcome}")
        elif attempt.at is not None and at is not None and attempt.at != at:
            said.append(f"{what}: the world expects the refusal at {attempt.at}, {side} so at {at}")
    if observation.credentials is not None and observation.credentials != observation.process:
        said.append(f"{what}: the listener saw {observation.credentials}, the process was {observation.process}")
    return said
