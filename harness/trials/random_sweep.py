"""Random worlds, tried in a place and compared with the oracle. What differs is shrunk to the smallest such world.

The grid (`harness.trials.grid_sweep`) is exhaustive where there is little to vary; this goes where nobody looked yet.
"""

from __future__ import annotations

import dataclasses
import posixpath
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.oracle import predict, rules_of
from harness.trials.verdict import Verdict, judge
from harness.world import DEFAULT_MODES, problems
from harness.world.drawing import random_world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from harness.engines.protocol import Place
    from harness.oracle import Decision, Rules
    from harness.world import Attempt, Node, World

    Oracle = Callable[[World, Sequence[Attempt], Rules], list[Decision]]


@dataclass(frozen=True, slots=True)
class Counterexample:
    """The smallest world that shows it, and its verdicts that disagree.

    `comes_again`: they disagreed when that world was tried once more; else they are those of the first time.
    """

    world: World
    verdicts: tuple[Verdict, ...]
    comes_again: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What has been tried so far, shrinking left out, and what the last world showed."""

    worlds: int
    attempts: int
    found: Counterexample | None = None


def random_sweep(
    place: Place, count: int, first_seed: int = 0, rules: Rules | None = None, oracle: Oracle = predict
) -> Iterator[Progress]:
    """Try `count` random worlds in a place. After each: how far it is, and the disagreement if there is one.

    The same seed draws the same worlds. `rules` are the oracle's, by default those of the place's kernel. Raises
    PlaceError if the place can't build a world.
    """
    rules = rules or rules_of(place.facts)

    def differing(world: World) -> tuple[Verdict, ...]:
        place.build(world)
        observations = place.attempt(world.attempts)
        decisions = oracle(world, world.attempts, rules)
        verdicts = map(judge, world.attempts, decisions, observations)
        return tuple(verdict for verdict in verdicts if not verdict.agree)

    yield from search(differing, draw(count, first_seed, fuse=place.facts.fuse, flags=place.facts.flags))


def search(differing: Callable[[World], tuple[Verdict, ...]], worlds: Iterable[World]) -> Iterator[Progress]:
    """Look at worlds one by one, and shrink those of which `differing` has something to say.

    Shrinking knows what a world is made of, so some dozens of trials are enough.
    """
    attempts = 0
    for number, world in enumerate(worlds, 1):
        attempts += len(world.attempts)
        found = None
        if first := differing(world):
            least = smallest(world, differing)
            last = differing(least)
            found = Counterexample(least, last, True) if last else Counterexample(world, first, False)
        yield Progress(number, attempts, found)


def draw(count: int, first_seed: int = 0, *, fuse: bool = False, flags: bool = False) -> Iterator[World]:
    """Random worlds, the same for the same seed; with FUSE mounts and flags of nodes if asked for."""
    for number in range(count):
        random = Random(f"{first_seed} {number}")  # noqa: S311 - it has to be drawn again from its seed
        yield random_world(random, fuse=fuse, flags=flags)


def smallest(world: World, differing: Callable[[World], tuple[Verdict, ...]]) -> World:
    """The world without anything that can be left out: what is left differs still."""
    while True:
        for candidate in _simpler(world):
            if _still(candidate, differing):
                world = candidate
                break
        else:
            return world


def _still(world: World, differing: Callable[[World], tuple[Verdict, ...]]) -> bool:
    try:
        return not any(problems(world)) and bool(differing(world))
    except PlaceError:  # a working directory went with its node, for example
        return False


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
        dataclasses.replace(node, default_acl=node.default_acl[:-1]),
        dataclasses.replace(node, flags=node.flags[:-1]),
        dataclasses.replace(node, owner="root"),
        dataclasses.replace(node, group="root"),
        dataclasses.replace(node, mode=DEFAULT_MODES[node.kind]),
        dataclasses.replace(node, options=tuple(option for option in node.options if option not in {"ro", "noexec"})),
        dataclasses.replace(node, network=None),
    ):
        if simple != node:
            yield simple


def _simpler_attempt(attempt: Attempt) -> Iterator[Attempt]:
    first = int(attempt.path.startswith("/"))
    names = attempt.path.split("/")[first:]
    size = len(names)
    while size > len(names) // 32:  # a path of thousands of names is about its length, so not each name is looked at
        for start in range(0, len(names), size):
            path = "/" * first + "/".join(names[:start] + names[start + size :])
            if path and len(path) < len(attempt.path):
                yield dataclasses.replace(attempt, path=path)
        size //= 2
    if attempt.cwd is not None:
        yield dataclasses.replace(attempt, cwd=None, path=posixpath.normpath(f"{attempt.cwd}/{attempt.path}"))
    if attempt.root is not None:
        yield dataclasses.replace(attempt, root=None)
    if attempt.network is not None:
        yield dataclasses.replace(attempt, network=None)
    if attempt.type != "stream":
        yield dataclasses.replace(attempt, type="stream")
