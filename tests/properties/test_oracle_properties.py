from __future__ import annotations

import dataclasses
import errno

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.oracle import Rules, decide, freebsd, grid, linux, netbsd, openbsd, predict, xnu
from harness.world import Attempt, Node, User, World, complete
from harness.world.strategies import worlds

ALL_RULES = (linux(), linux({"fs.protected_symlinks": 1}), freebsd(), xnu(), openbsd(), netbsd())
rules_of_all = st.sampled_from(ALL_RULES)


@given(worlds(), rules_of_all)
def test_every_attempt_in_every_world_gets_a_whole_answer_from_every_kernel(world: World, rules: Rules) -> None:
    decisions = predict(world, world.attempts, rules)
    assert len(decisions) == len(world.attempts)
    for decision in decisions:
        assert decision.outcome == "ok" or hasattr(errno, decision.outcome)
        assert decision.at
        assert decision.why.endswith(".")
        assert "\n" not in decision.why
        assert bool(decision.applied) == bool(decision.because) == bool(decision.needs)


@given(worlds(max_attempts=2), rules_of_all)
def test_the_first_of_many_attempts_is_decided_as_if_it_were_alone(world: World, rules: Rules) -> None:
    first = predict(world, world.attempts, rules)[0]
    assert dataclasses.replace(decide(world, world.attempts[0], rules), changes=()) == first


@given(worlds(max_attempts=2))
def test_changes_are_offered_for_refusals_only_those_that_let_in_fewest_first(world: World) -> None:
    decision = decide(world, world.attempts[0], linux())
    if decision.outcome == "ok":
        assert not decision.changes
    assert [change.widens for change in decision.changes] == sorted(change.widens for change in decision.changes)
    assert len(decision.changes) <= 5


@given(worlds())
def test_whoever_has_cap_dac_override_is_never_refused_for_permissions(world: World) -> None:
    almighty = User("almighty", 4242, 4242, capabilities=frozenset({"CAP_DAC_OVERRIDE"}))
    world = complete(dataclasses.replace(world, users=(*world.users, almighty)))
    # Nobody executes what has no x.
    attempts = [
        dataclasses.replace(attempt, user="almighty") for attempt in world.attempts if attempt.operation != "execute"
    ]
    for attempt, decision in zip(attempts, predict(world, attempts, linux()), strict=True):
        assert not (decision.outcome == "EACCES" and decision.needs)
        if decision.outcome == "EACCES":
            assert attempt.operation == "create", "another's in a sticky directory, which is no matter of its bits"


@given(worlds(), rules_of_all)
def test_a_refused_attempt_changes_nothing_and_the_same_question_gets_the_same_answer(
    world: World, rules: Rules
) -> None:
    attempts = world.attempts[:1] * 2 + world.attempts
    decisions = predict(world, attempts, rules)
    assume(decisions[0].outcome != "ok")
    assert decisions[1] == decisions[0]
    assert decisions[2:] == predict(world, world.attempts, rules)


_modes = st.integers(0, 0o777)
PEOPLE = (
    User("owner", 1, "team"),
    User("member", 2, "team"),
    User("stranger", 3, 3),
    User("powerless", 0, 0, capabilities=frozenset()),
    User("reader", 4, 4, capabilities=frozenset({"CAP_DAC_READ_SEARCH"})),
)


def _grid_world(directory: int, socket: int) -> World:
    return complete(
        World(
            "grid",
            groups={"team": 5},
            users=PEOPLE,
            nodes=(
                Node("/srv/d", "directory", "owner", "team", directory),
                Node("/srv/d/s", "socket", "owner", "team", socket),
            ),
        )
    )


@pytest.mark.parametrize("rules", ALL_RULES, ids=["linux", "linux-protected", "freebsd", "xnu", "openbsd", "netbsd"])
@pytest.mark.parametrize("operation", ["connect", "unlink", "bind"])
def test_a_grid_says_of_each_pair_of_modes_what_the_oracle_says_of_it_alone(operation: str, rules: Rules) -> None:
    path = "/srv/d/new" if operation == "bind" else "/srv/d/s"
    attempts = [Attempt(who, operation, path) for who in ("root", *(user.name for user in PEOPLE))]  # type: ignore[arg-type]
    grids = {attempt: grid(_grid_world(0o755, 0o755), attempt, rules, "/srv/d", "/srv/d/s") for attempt in attempts}

    @given(st.sampled_from(attempts), _modes, _modes)
    def holds(attempt: Attempt, directory: int, socket: int) -> None:
        decision = predict(_grid_world(directory, socket), (attempt,), rules)[0]
        assert grids[attempt].outcome(directory, socket) == (decision.outcome, decision.at)

    holds()
