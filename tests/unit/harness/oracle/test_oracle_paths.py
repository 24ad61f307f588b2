from __future__ import annotations

import pytest

from harness.oracle import linux
from harness.world import Attempt, Node
from tests.unit.harness.oracle.conftest import ask, directory, link, outcome, outcomes, socket

PROTECTED = linux({"fs.protected_symlinks": 1})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/run/d/s", "ok"),
        ("//run///d/./s", "ok"),
        ("/run/d/../d/s", "ok"),
        ("/../run/d/s", "ok"),
        ("/run/d/s/", "ENOTDIR"),
        ("/run/d/s/.", "ENOTDIR"),
        ("/run/d/s/../s", "ENOTDIR"),
        ("/run/d/nothing/../s", "ENOENT"),
        ("/run/d/", "EACCES"),
        ("/", "EACCES"),
    ],
)
def test_slashes_and_dots(path: str, said: str) -> None:
    assert outcome("dan", "connect", path, directory("/run/d", 0o711), socket("/run/d/s", 0o666)) == said


def test_a_relative_path_begins_in_the_working_directory_which_must_be_searchable() -> None:
    nodes = (directory("/run/d", 0o711), socket("/run/d/s", 0o666))
    assert outcome("dan", "connect", "s", *nodes, cwd="/run/d") == "ok"
    assert outcome("dan", "connect", "../d/s", *nodes, cwd="/run/d") == "ok"
    closed = (directory("/run/d", 0o700), socket("/run/s", 0o666))
    assert ask("dan", "connect", "../s", *closed, cwd="/run/d").at == "/run/d"
    assert outcome("dan", "connect", "/run/s", *closed, cwd="/run/d") == "ok"


def test_without_a_working_directory_a_path_begins_at_the_root() -> None:
    assert outcome("dan", "connect", "run/s", socket(mode=0o666)) == "ok"


@pytest.mark.parametrize(("cwd", "said"), [("/run/nothing", "ENOENT"), ("/run/s", "ENOTDIR")])
def test_a_working_directory_that_is_none_is_refused_as_to_root(cwd: str, said: str) -> None:
    assert outcome("dan", "connect", "s", socket(), cwd=cwd) == said


def test_forty_symlinks_are_followed_and_no_more() -> None:
    nodes = (link("/run/l", "."), socket(mode=0o666))
    assert outcome("dan", "connect", "/run/" + "l/" * 40 + "s", *nodes) == "ok"
    refused = ask("dan", "connect", "/run/" + "l/" * 41 + "s", *nodes)
    assert (refused.outcome, refused.at) == ("ELOOP", "/run/l")


@pytest.mark.parametrize("target", ["l", "/run/l", "../run/l/"])
def test_a_symlink_to_itself_is_a_loop(target: str) -> None:
    assert outcome("dan", "stat", "/run/l", link("/run/l", target)) == "ELOOP"


def test_a_dangling_symlink_leads_nowhere() -> None:
    refused = ask("dan", "connect", "/run/l", link("/run/l", "/srv/nothing"))
    assert (refused.outcome, refused.at) == ("ENOENT", "/srv/nothing")


def test_a_symlinks_closing_slash_asks_for_a_directory() -> None:
    assert outcome("dan", "stat", "/run/l", link("/run/l", "s/"), socket()) == "ENOTDIR"
    assert outcome("dan", "stat", "/run/l/", link("/run/l", "/srv")) == "ok"


def test_a_symlink_to_the_root_leads_there() -> None:
    assert ask("dan", "stat", "/run/l", link("/run/l", "/")).at == "/"


def test_a_name_has_at_most_255_bytes_which_is_asked_after_search_permission() -> None:
    long = "é" * 128
    assert outcome("dan", "stat", f"/run/{long[:-1]}") == "ENOENT"
    refused = ask("dan", "stat", f"/run/{long}")
    assert (refused.outcome, refused.at) == ("ENAMETOOLONG", f"/run/{long}")
    assert outcome("dan", "stat", f"/run/d/{long}", directory("/run/d", 0o700)) == "EACCES"


def test_a_path_has_at_most_4095_bytes() -> None:
    path = "/" * (4095 - len("run")) + "run"
    assert outcome("dan", "stat", path) == "ok"
    assert outcome("dan", "stat", "/" + path) == "ENAMETOOLONG"


@pytest.mark.parametrize(
    ("user", "owner", "mode", "said"),
    [
        ("dan", "bob", 0o1777, "EACCES"),
        ("root", "bob", 0o1777, "EACCES"),
        ("bob", "bob", 0o1777, "ok"),
        ("dan", "root", 0o1777, "ok"),  # the directory's owner
        ("dan", "bob", 0o777, "ok"),
        ("dan", "bob", 0o1775, "ok"),
    ],
)
def test_protected_symlinks_spares_only_the_followers_and_the_directory_owners_links(
    user: str, owner: str, mode: int, said: str
) -> None:
    nodes = (Node("/tmp", "directory", mode=mode), link("/tmp/l", "/run/s", owner), socket(mode=0o666))
    decision = ask(user, "connect", "/tmp/l", *nodes, rules=PROTECTED)
    assert (decision.outcome, decision.at) == (said, "/tmp/l" if said == "EACCES" else "/run/s")
    assert outcome(user, "connect", "/tmp/l", *nodes) == "ok"


def test_protected_symlinks_looks_at_a_paths_last_component_only() -> None:
    nodes = (link("/tmp/l", "/run", "bob"), socket(mode=0o666))
    assert outcome("dan", "connect", "/tmp/l/s", *nodes, rules=PROTECTED) == "ok"


def test_what_is_mounted_upon_a_directory_hides_what_was_there() -> None:
    nodes = (socket("/srv/m/s", 0o666), Node("/srv/m", "mount", fs="tmpfs"))
    assert outcome("dan", "connect", "/srv/m/s", *nodes) == "ENOENT"


def test_a_bind_mount_shows_the_same_thing_under_another_path() -> None:
    nodes = (
        directory("/srv/closed", 0o700),
        socket("/srv/closed/s", 0o666),
        Node("/run/seen", "mount", fs="bind", options=("from=/srv/closed/s",)),
        Node("/run/dir", "mount", fs="bind", options=("from=/srv/closed",)),
    )
    decision = ask("dan", "connect", "/run/seen", *nodes)
    assert (decision.outcome, decision.at) == ("ok", "/run/seen")
    assert ask("dan", "connect", "/run/dir/s", *nodes).at == "/run/dir"
    assert outcome("alice", "connect", "/run/dir/../seen", *nodes) == "ok"


def test_a_mount_below_a_bind_mounts_source_is_not_seen_through_it() -> None:
    nodes = (
        Node("/srv/a", "directory"),
        Node("/srv/a/m", "mount", fs="tmpfs"),
        socket("/srv/a/m/s", 0o666),
        Node("/srv/b", "mount", fs="bind", options=("from=/srv/a",)),
    )
    assert outcome("dan", "connect", "/srv/a/m/s", *nodes) == "ok"
    assert outcome("dan", "connect", "/srv/b/m/s", *nodes) == "ENOENT"


def test_what_every_place_has_is_there() -> None:
    assert outcome("dan", "bind", "/tmp/s") == "ok"
    assert outcome("dan", "stat", "/root/x") == "EACCES"
    assert ask("dan", "stat", "/var/run/s", socket()).at == "/run/s"


def test_parents_that_nobody_made_are_roots_and_searchable() -> None:
    attempts = (Attempt("dan", "connect", "/a/b/s"), Attempt("dan", "bind", "/a/b/t"))
    assert outcomes(*attempts, nodes=(socket("/a/b/s", 0o666),)) == ["ok", "EACCES"]
