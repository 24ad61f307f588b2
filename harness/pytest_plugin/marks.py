"""The plugin's marks: what they are, and the world and the server that a test asks for by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.engines.protocol import Engine
    from harness.subjects.description import Described
    from harness.world import World

MARKS = (
    "harness_world(what): the world of the test: a TOML file beside the test file, or a harness.world.World",
    "harness_server(*command, speaks=, ...): the test's server, with a subject file's keys; or one subject file",
    "harness_socket_modes(*modes): run the test once with each mode of the socket",
    "harness_users(*names): run the test once for each user; without names for every user of the world",
    "harness_checks(*names): run the test once for each check; without names for all",
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the place of a test must have for its server, beside what every place of the run has."""

    image: str | None = None
    suite: str = "bookworm"
    packages: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()

    def image_of(self, engine: Engine) -> str | None:
        """The image with the server in it; `None` for the one that every place is made of."""
        if self.image is not None:
            return self.image
        usual = (self.suite, self.packages) == (Needs().suite, ())
        return None if usual else engine.image_with(self.suite, self.packages)

    def mounts_beside(self, given: Sequence[str]) -> tuple[str, ...]:
        """All mounts of the place, where `given` are those of the run."""
        there = {place or host: host for host, _, place in (mount.partition(":") for mount in given)}
        more = []
        for mount in self.mounts:
            host, _, place = mount.partition(":")
            place = place or host
            if there.setdefault(place, host) != host:
                raise pytest.UsageError(
                    f"{place} would be both {there[place]} and {host} of this machine: let harness_mounts and the "
                    "server's mounts name different places for them"
                )
            above = (str(each) for each in Path(place).parents)
            if place == host and any(there.get(each) == each for each in above):
                continue  # it is there as a part of that
            if mount not in given:
                more.append(mount)
        return (*given, *more)


def needs_of(item: pytest.Item) -> Needs | None:
    """What a test's server needs in its place, if there is anything and it is described as it should be."""
    if item.get_closest_marker("harness_server") is None:
        return None
    try:
        described = described_by(item)
    except pytest.UsageError:
        return None  # the fixture that starts the server says it, of this test alone
    subject = described.subject
    brought = (f"{each.source}:{each.brought}" for each in subject.data)
    needs = Needs(described.image, subject.suite, subject.packages, (*subject.mounts, *brought))
    return None if needs == Needs() else needs


def world_of(item: pytest.Item) -> World:
    """The world that a test asks for; without a mark, that of the checks, with the users whom its server names."""
    from harness.testbed.cast import cast, lay
    from harness.world import World, load

    marker = item.get_closest_marker("harness_world")
    if marker is None and item.get_closest_marker("harness_server") is None:
        return lay(cast("alice", None), "own", "alice")
    if marker is None:
        subject = described_by(item).subject
        group = subject.group if subject.takes_group else None
        users = cast(subject.owner, group, subject.accounts_besides(subject.owner), subject.socket_owner)
        return lay(users, "own", subject.socket_owner or subject.owner)
    what = marker.args[0]
    return what if isinstance(what, World) else load(item.path.parent / what)


def described_by(item: pytest.Item) -> Described:
    """The server that a test's mark describes, by the keys of a subject file, or the file that it names, with what of
    this machine its command names.
    """
    from harness.subjects.machine import equipped

    found = _described(item)
    return replace(found, subject=equipped(found.subject))


def _described(item: pytest.Item) -> Described:
    from harness.subjects.description import DescriptionError, described, load

    marker = item.get_closest_marker("harness_server")
    if marker is None or not marker.args:
        raise pytest.UsageError(f"{item.nodeid} needs @pytest.mark.harness_server(COMMAND, ..., '{{socket}}', ...)")
    words = [str(word) for word in marker.args]
    try:
        if len(words) == 1 and words[0].endswith(".toml"):
            if marker.kwargs:
                raise DescriptionError(f"{words[0]} says what the server is: write {', '.join(marker.kwargs)} there")
            return load(item.path.parent / words[0])
        return described({**marker.kwargs, "command": words}, item.path.parent)
    except DescriptionError as error:
        raise pytest.UsageError(f"{item.nodeid}: @pytest.mark.harness_server: {error}") from None


def again(item: pytest.Item, mode: int, mounts: Sequence[str]) -> list[str]:
    """The words behind `harness check` that ask the same of the server of a test's mark."""
    from harness.subjects.option_words import option_words

    marker = item.get_closest_marker("harness_server")
    assert marker is not None
    words = [str(word) for word in marker.args]
    if len(words) == 1 and words[0].endswith(".toml"):
        return [str(item.path.parent / words[0])]
    table = {"mode": f"{mode:04o}", **marker.kwargs} if "at_most" not in marker.kwargs else dict(marker.kwargs)
    for key in table.keys() & {"config", "data", "mounts"}:
        table[key] = [str(item.path.parent / each) for each in table[key]]
    if str(table.get("speaks", "")).endswith(".py"):
        table["speaks"] = str(item.path.parent / table["speaks"])
    given = [*option_words(table), *(f"--mount={mount}" for mount in mounts)]
    return [*given, "--", _described(item).subject.command[0], *words[1:]]


def names_of(item: str, mark: str, given: Sequence[object], known: Sequence[str]) -> Sequence[object]:
    """The names that a mark gives, or all. Raises UsageError for one that nobody has."""
    for name in given:
        if name not in known:
            raise pytest.UsageError(f"{item}: @pytest.mark.{mark}: there is no {name!r}; there are {', '.join(known)}")
    return given or known
