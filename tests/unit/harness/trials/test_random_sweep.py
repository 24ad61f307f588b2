"""The random sweep itself, in a place whose kernel is the oracle: what it finds is then known beforehand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.protocol import Facts, Observation, PlaceError
from harness.oracle import linux, predict
from harness.trials.random_sweep import random_sweep, search, smallest
from harness.trials.verdict import judge
from harness.world import Attempt, Node, User, World, complete
from tests.mutants.oracles import WRONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.trials.verdict import Verdict

OWNERLESS = next(wrong for wrong in WRONG if wrong.name == "the owner class is forgotten")


class Obedient:
    """A place whose kernel does what the oracle says. `sysctls` are its own."""

    def __init__(self, **sysctls: int) -> None:
        self.facts = Facts("obedient", "0", "none", "3", {f"fs.{name}": value for name, value in sysctls.items()})
        self.world: World | None = None

    def build(self, world: World) -> None:
        self.world = world

    def attempt(self, attempts: Sequence[Attempt]) -> list[Observation]:
        assert self.world is not None
        return [Observation(it.outcome, it.at) for it in predict(self.world, attempts, linux(self.facts.sysctls))]


class Unbuildable(Obedient):
    def build(self, world: World) -> None:
        raise PlaceError("nothing can be made here")


def sweep(place: Any, count: int, **more: Any) -> list[Any]:
    return list(random_sweep(place, count, **more))


def test_a_kernel_that_does_as_the_oracle_says_disagrees_nowhere() -> None:
    progress = sweep(Obedient(), 60)
    assert [it.worlds for it in progress] == list(range(1, 61))
    assert not [it for it in progress if it.found]


def test_the_rules_are_those_of_the_places_own_settings() -> None:
    assert not [it for it in sweep(Obedient(protected_symlinks=1), 100) if it.found]
    place: Any = Obedient(protected_symlinks=1)
    assert any(it.found for it in random_sweep(place, 2000, 7, rules=linux()))


def test_what_is_found_is_the_smallest_world_with_its_verdicts() -> None:
    place: Any = Obedient()
    found = next(it.found for it in random_sweep(place, 200, oracle=OWNERLESS) if it.found)
    assert len(found.world.attempts) == 1
    assert len(found.world.nodes) <= 2
    (verdict,) = found.verdicts
    assert not verdict.agree
    assert found.comes_again


def test_what_does_not_come_again_is_told_with_what_was_seen_the_first_time() -> None:
    tried: list[World] = []

    def differing(world: World) -> tuple[Verdict, ...]:
        """Different from the oracle once, and never again."""
        tried.append(world)
        decisions = predict(world, world.attempts[:1], linux())
        return tuple(judge(world.attempts[0], it, Observation("EIO")) for it in decisions) if len(tried) == 1 else ()

    (progress,) = search(differing, [WORLD])
    assert progress.found is not None
    assert (progress.found.world, progress.found.comes_again) == (WORLD, False)
    assert [verdict.agree for verdict in progress.found.verdicts] == [False]


def test_a_place_that_cannot_build_ends_the_sweep() -> None:
    with pytest.raises(PlaceError, match="nothing can be made here"):
        sweep(Unbuildable(), 10)


WORLD = complete(
    World(
        "w",
        users=(User("a", 1, 1), User("b", 2, 2, (3,)), User("c", 3, 3)),
        nodes=(
            Node("/srv/d", "directory", mode=0o700),
            Node("/srv/d/s", "socket", "b", "c", mode=0o600),
            Node("/tmp/x", "file"),
        ),
        attempts=(
            Attempt("c", "stat", "/tmp/x"),
            Attempt("a", "connect", "/srv/./d/../d/s", type="dgram"),
            Attempt("b", "unlink", "/tmp/x"),
        ),
    )
)


def test_shrinking_leaves_out_whatever_does_not_matter() -> None:
    def differing(world: World) -> tuple[Verdict, ...]:
        decisions = predict(world, world.attempts, linux())
        said = [it for it in decisions if (it.outcome, it.at, it.needs) == ("EACCES", "/srv/d", "x")]
        return tuple(judge(world.attempts[0], it, Observation("ok")) for it in said)

    least = smallest(WORLD, differing)
    assert least.nodes == (Node("/srv/d", "directory", mode=0o700),)
    assert [user.name for user in least.users] == ["root", "a"]
    assert least.attempts == (Attempt("a", "connect", "/srv/d/s"),)


def test_a_world_that_cannot_be_tried_is_no_simpler_one() -> None:
    def differing(world: World) -> tuple[Verdict, ...]:
        if len(world.nodes) < 3:
            raise PlaceError("not without all three")
        decisions = predict(world, world.attempts, linux())
        return tuple(judge(it, said, Observation("EIO")) for it, said in zip(world.attempts, decisions, strict=True))

    assert len(smallest(WORLD, differing).nodes) == 3


def test_a_search_goes_on_after_it_has_found_something() -> None:
    worlds = [WORLD, dataclasses.replace(WORLD, name="second")]

    def differing(world: World) -> tuple[Verdict, ...]:
        decisions = predict(world, world.attempts, linux())
        return tuple(judge(it, said, Observation("EIO")) for it, said in zip(world.attempts, decisions, strict=True))

    assert [it.found.world.name for it in search(differing, worlds) if it.found] == ["w", "second"]
