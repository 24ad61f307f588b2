"""The plugin's marks: what they are, and the world and the server that a test asks for by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.subjects import Subject
    from harness.world import World

MARKS = (
    "harness_world(what): the world of the test: a TOML file beside the test file, or a harness.world.World",
    "harness_server(*command, speaks=, user=, group=, socket=): the test's server, {socket} and {mode} in its command",
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


def subject_of(item: pytest.Item) -> Subject:
    """The server that a test's mark describes."""
    from harness.subjects.command import CommandSubject

    marker = item.get_closest_marker("harness_server")
    if marker is None:
        raise pytest.UsageError(f"{item.nodeid} needs @pytest.mark.harness_server(COMMAND, ..., '{{socket}}', ...)")
    given = dict(marker.kwargs)
    return CommandSubject(
        name=str(marker.args[0]),
        about=" ".join(marker.args),
        command=tuple(map(str, marker.args)),
        speaks=given.pop("speaks", "nothing"),
        owner=given.pop("user", "alice"),
        socket=given.pop("socket", None) or "",
        **given,
    )
