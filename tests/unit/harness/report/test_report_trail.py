from __future__ import annotations

from dataclasses import replace

import pytest

from harness.report.trail import LINKS, Trails
from harness.world import Attempt, Node, User, World


def world(*nodes: Node) -> World:
    return World("w", users=(User("root", 0, 0),), nodes=nodes)


def names(nodes: World, path: str, operation: str = "connect") -> list[str]:
    attempt = replace(Attempt("root", "connect", path), operation=operation)  # type: ignore[arg-type]
    return [step.path for step in Trails(nodes).of(attempt)]


def test_missing_parents_are_on_the_way_as_root_made_them() -> None:
    steps = Trails(world(Node("/a/b/c", "socket"))).to("/a/b/c")
    assert [(step.path, step.node.mode if step.node else None) for step in steps] == [
        ("/", 0o755),
        ("/a", 0o755),
        ("/a/b", 0o755),
        ("/a/b/c", 0o755),
    ]


def test_an_absolute_symlink_starts_again_at_the_root() -> None:
    here = world(Node("/run/app", "symlink", target="/srv/app"), Node("/srv/app/s", "socket"))
    assert names(here, "/run/app/s") == ["/", "/run", "/run/app", "/srv", "/srv/app", "/srv/app/s"]


def test_a_relative_symlink_goes_on_beside_itself() -> None:
    here = world(Node("/srv/old", "symlink", target="../var/./s"), Node("/var/s", "socket"))
    assert names(here, "/srv/old") == ["/", "/srv", "/srv/old", "/", "/var", "/var/s"]


def test_a_symlink_at_the_end_is_not_followed_by_what_acts_on_the_name() -> None:
    here = world(Node("/srv/s", "symlink", target="/nowhere"))
    assert names(here, "/srv/s", "unlink") == ["/", "/srv", "/srv/s"]
    assert names(here, "/srv/s")[-1] == "/nowhere"


def test_a_loop_ends() -> None:
    here = world(Node("/a", "symlink", target="/b"), Node("/b", "symlink", target="/a"))
    assert len(names(here, "/a")) == LINKS + 2


def test_nothing_is_looked_for_below_what_is_no_directory() -> None:
    assert names(world(Node("/f", "file")), "/f/x/y") == ["/", "/f"]


def test_what_a_mount_covers_is_gone_and_what_is_made_later_is_there() -> None:
    here = world(
        Node("/run/old", "socket"),
        Node("/run", "mount", fs="tmpfs", mode=0o700),
        Node("/run/new", "socket", mode=0o600),
    )
    steps = Trails(here).to("/run/old")
    assert steps[1].node is not None
    assert steps[1].node.mode == 0o700
    assert steps[2].node is None
    assert Trails(here).to("/run/new")[2].node == Node("/run/new", "socket", mode=0o600)


@pytest.mark.parametrize("path", ["/mnt/in/s", "/data/in/s"])
def test_a_bind_mount_shows_what_lies_at_its_source(path: str) -> None:
    here = world(
        Node("/data", "directory", mode=0o711),
        Node("/mnt", "mount", fs="bind", options=("from=/data",)),
        Node("/mnt/in/s", "socket", mode=0o620),
    )
    last = Trails(here).to(path)[-1]
    assert last.path == path
    assert last.node is not None
    assert last.node.mode == 0o620


def test_a_rename_that_its_second_path_refuses_is_drawn_by_the_second_path() -> None:
    here = Trails(world(Node("/a/s", "socket"), Node("/b", "directory", mode=0o700)))
    attempt = Attempt("root", "rename", "/a/s", to="/b/s")
    assert [step.path for step in here.deciding(attempt, "/b")] == ["/", "/b", "/b/s"]
    assert [step.path for step in here.deciding(attempt, "/a")] == ["/", "/a", "/a/s"]
