"""Which component refuses is found by walking there: symlinks, `..`, slashes and missing names, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.inside.agent.refusals import TriedName, TriedPath, refusing_component

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def where(operation: str, path: str, outcome: str, cwd: Path, to: str | None = None) -> str | None:
    return refusing_component(operation, path, to, outcome, str(cwd), None, protected_symlinks=False)


def test_a_missing_name_is_the_first_one_that_is_missing(tmp_path: Path) -> None:
    path = f"{tmp_path}/nothing/below"
    assert where("connect", path, "ENOENT", tmp_path) == f"{tmp_path}/nothing"


def test_a_file_in_the_middle_is_what_is_not_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in ("file/below", "file/", "file/.", "file/.."):
        assert where("connect", f"{tmp_path}/{path}", "ENOTDIR", tmp_path) == f"{tmp_path}/file"


def test_a_symlink_is_followed_to_what_refuses(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "relative").symlink_to("there/nothing")
    (tmp_path / "absolute").symlink_to(tmp_path / "there" / "nothing")
    for name in ("relative", "absolute"):
        assert where("connect", f"{tmp_path}/{name}", "ENOENT", tmp_path) == f"{tmp_path}/there/nothing"


def test_a_loop_is_refused_at_the_link_after_the_fortieth(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert where("stat", f"{tmp_path}/a", "ELOOP", tmp_path) == f"{tmp_path}/a"
    assert where("stat", f"{tmp_path}/b", "ELOOP", tmp_path) == f"{tmp_path}/b"


def test_dotdot_goes_up_from_where_the_symlink_led(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to("deep/er")
    walk = TriedPath(f"{tmp_path}/link/../nothing", str(tmp_path), follow=True)
    assert (walk.refusal, walk.at) == ("ENOENT", f"{tmp_path}/deep/nothing")


def test_the_working_directory_is_where_a_relative_path_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert where("stat", "nothing", "ENOENT", tmp_path) == f"{tmp_path}/nothing"
    assert where("bind", "nothing/below", "ENOENT", tmp_path) == f"{tmp_path}/nothing"


def test_a_name_that_is_taken_refuses_a_bind_even_if_it_is_a_dangling_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    assert where("bind", f"{tmp_path}/link", "EADDRINUSE", tmp_path) == f"{tmp_path}/link"


def test_the_last_link_is_not_followed_by_what_removes_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nothing")
    entry = TriedName(f"{tmp_path}/link", str(tmp_path))
    assert (entry.refusal, entry.at, entry.is_directory) == (None, f"{tmp_path}/link", False)


def test_a_path_that_ends_in_dots_names_the_directory_that_they_mean(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    assert TriedName(f"{tmp_path}/d/.", str(tmp_path)).at == f"{tmp_path}/d"
    assert TriedName(f"{tmp_path}/d/..", str(tmp_path)).at == str(tmp_path)
    assert TriedName("/", str(tmp_path)).at == "/"


def test_what_no_trial_can_tell_is_not_guessed(tmp_path: Path) -> None:
    """The way is free now, so the refusal that was seen before is nobody's."""
    assert where("connect", f"{tmp_path}/nothing", "EACCES", tmp_path) is None


def test_only_links_that_are_the_last_name_may_be_refused_for_whose_they_are(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "middle").symlink_to("there")
    (tmp_path / "last").symlink_to("middle/again")
    (tmp_path / "there" / "again").symlink_to("nothing")
    for path, last in (
        ("middle/nothing", []),
        ("middle/.", []),
        ("middle", ["middle"]),
        ("last", ["last", "there/again"]),
        ("last/nothing", []),
    ):
        walk = TriedPath(f"{tmp_path}/{path}", str(tmp_path), follow=True)
        assert [here for _, here in walk.last_links] == [f"{tmp_path}/{name}" for name in last], path
