"""Users who are held: the oracle says what each world's author claims, and a claim contradicts each wrong oracle.

Kernels confirm the claims: tests/integration/oracle and tests/platforms/kernels.
"""

from __future__ import annotations

import pytest

from harness.oracle import linux, predict
from harness.world import Confinement, World, problems
from tests.helpers.confined_worlds import LANDLOCK, PEERS, PROFILES, RESOLVING, SECCOMP, confined
from tests.mutants.oracles import (
    WRONG_OF_CONFINEMENT,
    WRONG_OF_PEERS,
    WRONG_OF_PROFILES,
    WRONG_OF_RESOLVING,
    WrongOracle,
)

RULES = linux({"apparmor.af_unix": 1})
WORLDS: dict[str, tuple[World, str | None]] = {
    **{
        f"seccomp-{name}": (confined(Confinement(tuple(sorted(calls.items()))), attempt), layer)
        for name, (calls, attempt, layer) in SECCOMP.items()
    },
    **{
        f"landlock-{name}": (confined(Confinement(landlock=rights), attempt), layer)
        for name, (rights, attempt, layer) in {**LANDLOCK, **RESOLVING}.items()
    },
    **{
        f"apparmor-{name}": (confined(Confinement(apparmor=tuple(sorted(rules))), attempt), layer)
        for name, (rules, attempt, layer) in {**PROFILES, **PEERS}.items()
    },
}
WRONG = (*WRONG_OF_CONFINEMENT, *WRONG_OF_RESOLVING, *WRONG_OF_PROFILES, *WRONG_OF_PEERS)


def contradicted(world: World, outcome: str, at: str) -> bool:
    claim = world.attempts[0]
    return outcome != claim.expect or (claim.at is not None and at != claim.at)


@pytest.mark.parametrize("name", WORLDS)
def test_the_oracle_says_what_the_author_claims_and_names_the_layer(name: str) -> None:
    world, layer = WORLDS[name]
    assert list(problems(world)) == []
    (decision,) = predict(world, world.attempts, RULES)
    assert not contradicted(world, decision.outcome, decision.at)
    assert decision.layer == layer


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_a_claim_contradicts_each_wrong_oracle(wrong: WrongOracle) -> None:
    said = ((world, wrong(world, world.attempts, RULES)[0]) for world, _ in WORLDS.values())
    assert any(contradicted(world, decision.outcome, decision.at) for world, decision in said)
