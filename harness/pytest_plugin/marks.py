"""The plugin's marks: what they are, and the world and the server that a test asks for by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.subjects.description import Described
    from harness.world import World

MARKS = (
    "harness_world(what): the world of the test: a TOML file beside the test file, or a harness.world.World",
    "harness_server(*command, speaks=, ...): the test's server, with a subject file's keys; or one subject file",
    "harness_socket_modes(*modes): run the test once with each mode of the socket",
    "harness_users(*names): run the test once for each user; without names for every user of the world",
    "harness_checks(*names): run the test once for each check; without names for all",
)


def world_of(item: pytest.Item) -> World:
    """The world that a test asks for; without a mark, that of the checks."""
    from harness.testbed.cast import cast, lay
    from harness.world import World, load

    marker = item.get_closest_marker("harness_world")
    if marker is None:
        return lay(cast("alice", None), "own", "alice")
    what = marker.args[0]
    return what if isinstance(what, World) else load(item.path.parent / what)


def described_by(item: pytest.Item) -> Described:
    """The server that a test's mark describes, by the keys of a subject file, or the file that it names."""
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
    table = {"mode": f"{mode:04o}", **marker.kwargs} if "at_most" not in marker.kwargs else marker.kwargs
    given = [*option_words(table), *(f"--mount={mount}" for mount in mounts)]
    return [*given, "--", *words]


def names_of(item: str, mark: str, given: Sequence[object], known: Sequence[str]) -> Sequence[object]:
    """The names that a mark gives, or all. Raises UsageError for one that nobody has."""
    for name in given:
        if name not in known:
            raise pytest.UsageError(f"{item}: @pytest.mark.{mark}: there is no {name!r}; there are {', '.join(known)}")
    return given or known
