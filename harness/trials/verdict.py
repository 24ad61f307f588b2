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
    compared with both sides. `unexpected`: oracle and kernel say the same, and the claims alone are something else.
    """

    attempt: Attempt
    decision: Decision
    observation: Observation
    differences: tuple[str, ...]
    unexpected: bool = False

    @property
    def agree(self) -> bool:
        """Whether the oracle, the kernel and the world's author say the same."""
        return not self.differences


def judge(attempt: Attempt, decision: Decision, observation: Observation) -> Verdict:
    """Hold an observation against a decision, and both against the attempt's own claims."""
    what = f"{attempt.user} {attempt.operation} {attempt.path}"
    parted = _differences(what, decision, observation)
    if parted:
        return Verdict(attempt, decision, observation, (*parted, *_broken_claims(what, attempt, decision, observation)))
    unmet = _unmet_claim(attempt, decision, observation)
    differences = () if unmet is None else (f"{what}: not as the world expects: {unmet}",)
    return Verdict(attempt, decision, observation, differences, unexpected=unmet is not None)


def _unmet_claim(attempt: Attempt, decision: Decision, observation: Observation) -> str | None:
    """What the world claims where oracle and kernel say something else with one voice."""
    if attempt.expect is not None and attempt.expect != decision.outcome:
        return f"it says {attempt.expect}, and oracle and kernel say {decision.outcome}"
    if attempt.at is not None and attempt.at not in {decision.at, observation.at}:
        return f"it says that {attempt.at} refuses, and oracle and kernel say that {decision.at} does"
    return None


def _differences(what: str, decision: Decision, observation: Observation) -> list[str]:
    """Where oracle and kernel part, and the kernel with itself."""
    said: list[str] = []
    if decision.outcome != observation.outcome:
        said.append(f"{what}: the oracle says {decision.outcome}, the kernel did {observation.outcome}")
    elif observation.at is not None and decision.at != observation.at:
        said.append(f"{what}: the oracle says that {decision.at} refuses, the kernel refused at {observation.at}")
    if None not in {decision.seen, observation.seen} and decision.seen != observation.seen:
        said.append(f"{what}: the oracle says that {decision.seen} is there, the kernel shows {observation.seen}")
    if observation.credentials is not None and observation.credentials != observation.process:
        said.append(f"{what}: the listener saw {observation.credentials}, the process was {observation.process}")
    return said


def _broken_claims(what: str, attempt: Attempt, decision: Decision, observation: Observation) -> list[str]:
    """What the world claims and either side does not say."""
    said: list[str] = []
    for side, outcome, at in (
        ("the oracle says", decision.outcome, decision.at),
        ("the kernel did", observation.outcome, observation.at),
    ):
        if attempt.expect is not None and attempt.expect != outcome:
            said.append(f"{what}: the world expects {attempt.expect}, {side} {outcome}")
        elif attempt.at is not None and at is not None and attempt.at != at:
            said.append(f"{what}: the world expects the refusal at {attempt.at}, {side} so at {at}")
    return said
