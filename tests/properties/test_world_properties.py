from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.oracle import decide, linux
from harness.world import Attempt, World, complete, dumps, loads, problems
from harness.world.strategies import worlds
from harness.world.validation import SYSCTLS


@given(worlds())
def test_a_drawn_world_makes_sense_and_is_complete(world: World) -> None:
    assert not list(problems(world))
    assert complete(world) == world


SETTINGS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in SYSCTLS.items()})


@given(worlds(), st.text(st.characters(exclude_categories=["Cs"])), SETTINGS)
def test_writing_a_world_and_reading_it_back_gives_the_same_world(
    world: World, about: str, sysctls: dict[str, int]
) -> None:
    written = World(world.name, about, world.groups, world.users, world.nodes, world.attempts, sysctls)
    assert loads(dumps(written)) == written


@given(worlds())
def test_every_working_directory_of_a_drawn_world_is_there_at_the_beginning(world: World) -> None:
    entered = {attempt.cwd for attempt in world.attempts if attempt.cwd is not None}
    for cwd in entered:
        assert decide(world, Attempt("root", "stat", f"{cwd}/."), linux()).outcome == "ok"
