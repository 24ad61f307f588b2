"""A world run in a place: built, tried, predicted, judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.oracle import linux, predict
from harness.verdict import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.oracle.decision import Decision
    from harness.place import Facts, Observation, Place
    from harness.scenarios import Story
    from harness.world import World

EXPLAINED = 400
"""In a world of more attempts nobody reads what would turn each refusal, and finding that out takes long."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a world in a place. `reproduce` is the command that does it again.

    `notices` are sentences for a person about claims that this kernel, with its sysctls, could not be
    held against. `story` is what a scenario tells of itself.
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

    A world may state the sysctls that its claims are about. Where those differ from the place's and an
    attempt turns on them, the claim is held against the oracle under the world's sysctls, and the kernel
    against the oracle under its own.
    """
    decisions = predict(world, world.attempts, linux(facts.sysctls), changes=len(world.attempts) <= EXPLAINED)
    foreign = {name: value for name, value in world.sysctls.items() if facts.sysctls.get(name, value) != value}
    claimed = predict(world, world.attempts, linux({**facts.sysctls, **foreign})) if foreign else decisions
    verdicts: list[Verdict] = []
    notices: list[str] = []
    for attempt, decision, claim, observation in zip(world.attempts, decisions, claimed, observations, strict=True):
        if (decision.outcome, decision.at) == (claim.outcome, claim.at):
            verdicts.append(judge(attempt, decision, observation))
            continue
        verdict = judge(replace(attempt, expect=None, at=None), decision, observation)
        broken = _broken_claim(attempt.expect, attempt.at, claim, foreign)
        verdicts.append(replace(verdict, attempt=attempt, differences=(*verdict.differences, *broken)))
        here = {name: facts.sysctls[name] for name in foreign}
        notices.append(
            f"{attempt.user} {attempt.operation} {attempt.path}: the world is about {_spelled(foreign)} "
            f"({claim.outcome}); here it is {_spelled(here)} ({decision.outcome}), "
            "so the kernel was not asked about the world's claim"
        )
    return Run(world, facts, tuple(verdicts), reproduce, tuple(notices))


def _broken_claim(expect: str | None, at: str | None, claim: Decision, sysctls: Mapping[str, int]) -> tuple[str, ...]:
    if expect is not None and expect != claim.outcome:
        return (f"the world expects {expect}, with {_spelled(sysctls)} the oracle says {claim.outcome}",)
    if at is not None and at != claim.at:
        return (f"the world expects the refusal at {at}, with {_spelled(sysctls)} the oracle says {claim.at}",)
    return ()


def _spelled(sysctls: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(sysctls.items()))
