"""Random worlds, tried in a place and held against the oracle. What differs is shrunk to the smallest such world.

The grid (`harness.sweep`) is exhaustive where there is little to vary; this goes where nobody thought of looking.
"""

from __future__ import annotations

import contextlib
import dataclasses
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, given, seed, settings

from harness.oracle import linux, predict
from harness.place import PlaceError
from harness.strategies import worlds
from harness.verdict import Verdict, judge
from harness.world import DEFAULT_MODES, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.oracle import Decision, Rules
    from harness.place import Place
    from harness.world import Attempt, Node, World

    Oracle = Callable[[World, Sequence[Attempt], Rules], list[Decision]]

BATCH: Final = 250
"""Worlds between two looks at what was found."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The smallest world that shows it, and its verdicts that disagree."""

    world: World
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """What has been tried so far, shrinking left out, and what was found since the last report."""

    worlds: int
    attempts: int
    found: Disagreement | None = None


def random_sweep(
    place: Place, count: int, first_seed: int = 0, rules: Rules | None = None, oracle: Oracle = predict
) -> Iterator[Progress]:
    """Try `count` random worlds in a place and yield how far it is, with each disagreement that was found.

    The same seed draws the same worlds. `rules` are the oracle's, by default those of the place's kernel. Raises
    PlaceError if the place can't build a world.
    """
    rules = rules or linux(place.facts.sysctls)

    def differing(world: World) -> tuple[Verdict, ...]:
        place.build(world)
        observations = place.attempt(world.attempts)
        decisions = oracle(world, world.attempts, rules)
        verdicts = map(judge, world.attempts, decisions, observations)
        return tuple(verdict for verdict in verdicts if not verdict.agree)

    yield from search(differing, count, first_seed)


def search(differing: Callable[[World], tuple[Verdict, ...]], count: int, first_seed: int = 0) -> Iterator[Progress]:
    """Draw worlds, and shrink those for which `differing` has something to say.

    Shrinking knows what a world is made of, so it takes some dozens of trials where Hypothesis's own takes hundreds.
    """
    tried = attempts = 0
    while tried < count:
        batch = _Batch(differing)
        batch.run(min(BATCH, count - tried), first_seed * 1_000_003 + tried)
        tried += batch.worlds
        attempts += batch.attempts
        found = None
        if batch.differs is not None:
            world = smallest(batch.differs, differing)
            found = Disagreement(world, differing(world))
        yield Progress(tried, attempts, found)


class _Differs(Exception):  # noqa: N818  how the search is told to shrink, no error
    pass


class _Batch:
    """Some worlds. The first that differs, or that can't be tried, ends it."""

    def __init__(self, differing: Callable[[World], tuple[Verdict, ...]]) -> None:
        self.differing = differing
        self.worlds = 0
        self.attempts = 0
        self.differs: World | None = None
        self.ended: _Differs | PlaceError | None = None

    def run(self, count: int, number: int) -> None:
        @seed(number)
        @settings(
            max_examples=count,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(worlds())
        def each(world: World) -> None:
            if self.ended is None:  # else Hypothesis asks for the same world again, to be sure
                self.ended = self.try_one(world)
            if self.ended is not None:
                raise self.ended

        with contextlib.suppress(_Differs):
            each()

    def try_one(self, world: World) -> _Differs | PlaceError | None:
        self.worlds += 1
        self.attempts += len(world.attempts)
        try:
            if not self.differing(world):
                return None
        except PlaceError as error:
            return error
        self.differs = world
        return _Differs()


def smallest(world: World, differing: Callable[[World], tuple[Verdict, ...]]) -> World:
    """The world without anything that can be left out: what is left differs still."""
    while True:
        for candidate in _simpler(world):
            if not any(problems(candidate)) and differing(candidate):
                world = candidate
                break
        else:
            return world


def _simpler(world: World) -> Iterator[World]:
    for index in reversed(range(len(world.attempts))):
        attempts = (*world.attempts[:index], *world.attempts[index + 1 :])
        yield dataclasses.replace(world, attempts=attempts)
    for index in reversed(range(len(world.nodes))):
        yield dataclasses.replace(world, nodes=(*world.nodes[:index], *world.nodes[index + 1 :]))
    for index, user in enumerate(world.users):
        if user.name != "root":
            yield dataclasses.replace(world, users=(*world.users[:index], *world.users[index + 1 :]))
        for plain in (dataclasses.replace(user, groups=()), dataclasses.replace(user, capabilities=None)):
            if plain != user:
                users = (*world.users[:index], plain, *world.users[index + 1 :])
                yield dataclasses.replace(world, users=users)
    for index, attempt in enumerate(world.attempts):
        for simpler in _simpler_attempt(attempt):
            attempts = (*world.attempts[:index], simpler, *world.attempts[index + 1 :])
            yield dataclasses.replace(world, attempts=attempts)
    for index, node in enumerate(world.nodes):
        for simple in _simpler_node(node):
            yield dataclasses.replace(world, nodes=(*world.nodes[:index], simple, *world.nodes[index + 1 :]))


def _simpler_node(node: Node) -> Iterator[Node]:
    for simple in (
        dataclasses.replace(node, acl=node.acl[:-1]),
        dataclasses.replace(node, owner="root"),
        dataclasses.replace(node, group="root"),
        dataclasses.replace(node, mode=DEFAULT_MODES[node.kind]),
        dataclasses.replace(node, options=tuple(option for option in node.options if option != "ro")),
    ):
        if simple != node:
            yield simple


def _simpler_attempt(attempt: Attempt) -> Iterator[Attempt]:
    names = attempt.path.split("/")
    for start in range(len(names)):
        for length in (len(names) // 2, 4, 2, 1):
            path = "/".join(names[:start] + names[start + length :])
            if path and len(path) < len(attempt.path):
                yield dataclasses.replace(attempt, path=path)
    if attempt.cwd is not None:
        yield dataclasses.replace(attempt, cwd=None, path=posixpath.normpath(f"{attempt.cwd}/{attempt.path}"))
    if attempt.type != "stream":
        yield dataclasses.replace(attempt, type="stream")
