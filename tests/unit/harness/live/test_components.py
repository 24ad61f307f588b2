from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import pytest

from harness.live.accounts import FileAccounts
from harness.live.actor import Actor
from harness.live.components import Hidden, Sight, look
from harness.live.judgement import find
from harness.live.process import RunningProcess
from harness.live.scene import Wanted, scene
from harness.report.explanation import explain
from harness.report.text import plain
from harness.world import Principal
from tests.helpers.descriptors import none_left_open

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="components are looked at by /proc/self/fd")


def kinds(sight: Sight, below: Path) -> list[tuple[str, str]]:
    prefix = f"{below}/"
    return [
        (component.path.removeprefix(prefix), component.kind)
        for component in sight.components
        if component.path.startswith(prefix)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_every_component_is_seen_once_down_to_the_socket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "link").symlink_to("a/./b")
    monkeypatch.chdir(folder / "a" / "b")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
    sight = look(f"{folder}/link/../b/s")
    assert kinds(sight, folder) == [("link", "symlink"), ("a", "directory"), ("a/b", "directory"), ("a/b/s", "socket")]
    assert sight.hidden is None
    assert sight.components[0].path == "/"


def test_what_is_not_there_ends_the_way(folder: Path) -> None:
    assert kinds(look(f"{folder}/none/s"), folder) == []
    (folder / "file").touch()
    assert kinds(look(f"{folder}/file/s"), folder) == [("file", "file")]


def test_a_loop_of_symlinks_ends(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    assert kinds(look(f"{folder}/a"), folder) == [("a", "symlink"), ("b", "symlink")]


def test_a_symlink_at_the_end_is_left_alone_where_it_is_not_followed(folder: Path) -> None:
    (folder / "target").touch()
    (folder / "link").symlink_to(folder / "target")
    assert kinds(look(f"{folder}/link", follow=False), folder) == [("link", "symlink")]
    assert kinds(look(f"{folder}/link"), folder) == [("link", "symlink"), ("target", "file")]


@pytest.mark.parametrize(
    ("path", "follow", "end"),
    [
        ("d", True, "d"),
        ("d/new", True, "d/new"),
        ("d/new/", True, "d/new"),
        ("d/../file", True, "file"),
        ("d/..", True, ""),
        ("d/.", True, "d"),
        ("link", True, "d/target"),
        ("link", False, "link"),
        ("link/", False, "d/target"),
        ("d/none/new", True, None),
        ("file/new", True, None),
        ("loop", True, None),
        ("d/" + "x" * 300, True, None),
    ],
)
def test_the_end_is_what_the_path_names_there_or_not(folder: Path, path: str, follow: bool, end: str | None) -> None:
    (folder / "d").mkdir()
    (folder / "file").touch()
    (folder / "link").symlink_to("d/target")
    (folder / "loop").symlink_to("loop")
    found = look(f"{folder}/{path}", follow=follow).end
    assert found == (None if end is None else f"{folder}/{end}".rstrip("/"))


def test_dots_never_lead_out_of_a_root(folder: Path) -> None:
    (folder / "root" / "in").mkdir(parents=True)
    (folder / "outside").touch()
    sight = look("/in/../../../outside", root=str(folder / "root"))
    assert [component.path for component in sight.components] == ["/", "/in"]


def test_a_path_may_be_longer_than_a_system_call_takes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    name = "d" * 200
    for _ in range(30):
        os.mkdir(name)
        os.chdir(name)
    sight = look(f"{folder}/" + "/".join([name] * 30))
    assert len(kinds(sight, folder)) == 30


def test_a_name_that_is_too_long_ends_the_way(folder: Path) -> None:
    assert kinds(look(f"{folder}/{'x' * 300}"), folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere; tests/integration asks as an ordinary user")
def test_what_may_not_be_looked_at_is_named(folder: Path) -> None:
    (folder / "closed" / "s").mkdir(parents=True)
    (folder / "closed").chmod(0)
    try:
        sight = look(f"{folder}/closed/s/t")
    finally:
        (folder / "closed").chmod(0o700)
    assert sight.hidden == Hidden(f"{folder}/closed/s", errno.EACCES)


def test_no_descriptor_is_left_open(folder: Path) -> None:
    with none_left_open():
        look(f"{folder}/../{folder.name}/x")


def test_what_is_not_there_is_named_and_nothing_is_where_all_is_there(folder: Path) -> None:
    assert look(f"{folder}/none/s").missing == f"{folder}/none"
    assert look(str(folder)).missing is None


@pytest.mark.parametrize(("path", "at"), [("/run/log", "/run"), ("/tmp/h/run/log", "/tmp"), ("/var/lib/x", "/var/lib")])
def test_in_a_root_directory_that_lacks_what_others_have_that_is_what_is_missing(
    folder: Path, path: str, at: str
) -> None:
    (folder / "var").mkdir()
    process = RunningProcess(os.getpid(), "app", Principal(0, 0), str(folder), (range(2**32),), (range(2**32),))
    who = Actor("root", process.principal, FileAccounts((), {}), None, process)
    seen = scene(who, Wanted("connect", path))
    judgement = find(who, seen)
    assert (judgement.decision.outcome, judgement.decision.at) == ("ENOENT", at)
    assert (
        judgement.decision.why == f"There is nothing named {at.rpartition('/')[2]} in {at.rpartition('/')[0] or '/'}."
    )
    assert f"{at.rpartition('/')[2]}  (does not exist)  <- ENOENT" in plain(explain(who, seen, judgement))
