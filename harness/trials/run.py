"""A world run in a place: built, tried, predicted, judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.oracle import predict, rules_of
from harness.trials.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.engines.protocol import Facts, Observation, Place
    from harness.oracle.decision import Decision
    from harness.scenarios import Story
    from harness.world import World

EXPLAINED = 400
"""In a world of more attempts nobody reads what would turn each refusal, and finding that out takes long."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a world in a place. `reproduce` is the command that does it again.

    `notices` are sentences for a person about claims that could not be compared with this
    kernel and its sysctls. `story` is what a scenario tells of itself.
    """

    world: World
    facts: Facts
    verdicts: tuple[Verdict, ...]
    reproduce: str
    notices: tuple[str, ...] = ()
    story: Story | None = None

    @property
    def agree(self) -> bool:
        """Whether oracle, kernel and the world's author say the same of every attempt."""
        return all(verdict.agree for verdict in self.verdicts)


def run_world(world: World, place: Place, reproduce: str, story: Story | None = None) -> Run:
    """Build a world in a place, make its attempts there, and judge them by a kernel with the place's sysctls.

    Raises PlaceError if the place can't build the world or make the attempts.
    """
    place.build(world)
    observations = place.attempt(world.attempts)
    return replace(judge_run(world, place.facts, observations, reproduce), story=story)


def judge_run(world: World, facts: Facts, observations: list[Observation], reproduce: str) -> Run:
    """Judge what was observed.

    A world's claims are about Linux, and about the sysctls that it states. Where the place's kernel is another or has
    others, and an attempt turns on that, the claim is compared with the oracle for what it is about, and the kernel
    against the oracle for itself.
    """
    rules = rules_of(facts)
    decisions = predict(world, world.attempts, rules, changes=len(world.attempts) <= EXPLAINED)
    foreign = {name: value for name, value in world.sysctls.items() if facts.sysctls.get(name, value) != value}
    elsewhere = facts.system != "Linux"
    claimed = decisions
    if foreign or elsewhere:
        stated = replace(facts, system="Linux", sysctls={**facts.sysctls, **world.sysctls})
        claimed = predict(world, world.attempts, rules_of(stated))
    about = _spelled("Linux" if elsewhere else None, foreign)
    here = _spelled(facts.system if elsewhere else None, {name: facts.sysctls[name] for name in foreign})
    verdicts: list[Verdict] = []
    notices: list[str] = []
    for attempt, decision, claim, observation in zip(world.attempts, decisions, claimed, observations, strict=True):
        if (decision.outcome, decision.at) == (claim.outcome, claim.at):
            verdicts.append(judge(attempt, decision, observation))
            continue
        verdict = judge(replace(attempt, expect=None, at=None), decision, observation)
        broken = _broken_claim(attempt.expect, attempt.at, claim, about)
        unexpected = bool(broken) and verdict.agree
        differences = (*verdict.differences, *broken)
        verdicts.append(replace(verdict, attempt=attempt, differences=differences, unexpected=unexpected))
        notices.append(
            f"{attempt.user} {attempt.operation} {attempt.path}: the world is about {about} ({claim.outcome}); here it "
            f"is {here} ({decision.outcome}), so the kernel was not asked about the world's claim"
        )
    return Run(world, facts, tuple(verdicts), reproduce, tuple(notices))


def _broken_claim(expect: str | None, at: str | None, claim: Decision, about: str) -> tuple[str, ...]:
    if expect is not None and expect != claim.outcome:
        return (f"the world expects {expect}, with {about} the oracle says {claim.outcome}",)
    if at is not None and at != claim.at:
        return (f"the world expects the refusal at {at}, with {about} the oracle says {claim.at}",)
    return ()


def _spelled(system: str | None, sysctls: Mapping[str, int]) -> str:
    settings = [f"{name}={value}" for name, value in sorted(sysctls.items())]
    return ", ".join(settings if system is None else [system, *settings])
