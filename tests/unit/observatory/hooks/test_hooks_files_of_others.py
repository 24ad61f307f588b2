"""Root and whoever shares a directory: no other user's file is followed, changed or taken over."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from observatory.cli.main import main
from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks import files
from tests.helpers.hook_settings import WANTED, install, names
from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("no_client")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's file")


@root_only
def test_root_leaves_another_users_file_to_that_user(path: Path) -> None:
    path.write_text("{}")
    os.chown(path, 4001, 4002)
    path.chmod(0o640)
    install(path)
    for each in (path, files.backup_path(path)):
        assert (each.stat().st_uid, each.stat().st_gid, stat.S_IMODE(each.stat().st_mode)) == (4001, 4002, 0o640)


@root_only
def test_what_root_makes_in_another_users_home_belongs_to_that_user(path: Path, tmp_path: Path) -> None:
    path.parent.rmdir()
    os.chown(tmp_path, 4001, 4002)
    install(path)
    assert [(each.stat().st_uid, each.stat().st_gid) for each in (path.parent, path)] == [(4001, 4002)] * 2


@root_only
@pytest.mark.parametrize("link", [".claude", ".claude/settings.json"])
def test_root_does_not_follow_another_users_link(tmp_path: Path, link: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "settings.json").write_text("{}")
    home = tmp_path / "home"
    home.mkdir()
    if link == ".claude":
        (home / link).symlink_to(victim)
    else:
        (home / ".claude").mkdir()
        (home / link).symlink_to(victim / "settings.json")
    os.chown(home / link, 4001, 4001, follow_symlinks=False)
    with pytest.raises(ObservatoryError, match=r"symbolic link of the user with uid 4001.*that user") as caught:
        files.settings_path(home / ".claude")
    assert caught.value.status is ExitStatus.NOT_PERMITTED


@root_only
def test_root_changes_no_other_users_file_by_a_link_of_its_own(path: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.json"
    theirs.write_text("{}")
    os.chown(theirs, 4001, 4001)
    path.symlink_to(theirs)
    with pytest.raises(ObservatoryError, match=r"leads to .*theirs\.json, which belongs to uid 4001; run this as"):
        files.settings_path(path.parent)


@root_only
def test_a_link_that_comes_after_the_look_is_not_followed_by_root(tmp_path: Path) -> None:
    theirs, trap = tmp_path / "theirs", tmp_path / "trap"
    for each in (theirs, trap):
        each.mkdir()
        (each / "settings.json").write_text("{}")
    path = files.settings_path(trap)
    trap.rename(tmp_path / "away")
    trap.symlink_to(theirs)
    change = files.plan_install(path, WANTED)
    with pytest.raises(ObservatoryError):
        files.make(change)
    assert [entry.read_text() for entry in theirs.iterdir()] == ["{}"]


def test_a_text_that_was_swapped_in_gets_into_no_backup(path: Path) -> None:
    path.write_text('{"secret": 1}')
    change = files.plan_install(path, WANTED)
    path.write_text("{}")
    with pytest.raises(ObservatoryError, match="was changed by someone else meanwhile"):
        files.make(change)
    assert names(path) == ["settings.json"]


@pytest.mark.parametrize("name", ["settings.json", "settings.json.before-observatory"])
@pytest.mark.parametrize("command", ["install-hooks", "uninstall-hooks"])
def test_a_pipe_in_the_place_of_a_file_is_named(
    path: Path, name: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("{}")
    if command == "uninstall-hooks":
        install(path)
        files.backup_path(path).unlink(missing_ok=True)
    before = path.read_bytes()
    path.with_name(name).unlink(missing_ok=True)
    os.mkfifo(path.with_name(name))
    monkeypatch.chdir(path.parent.parent)
    assert main([command, "--project"]) == 1
    said = capsys.readouterr()
    assert f"{path.with_name(name)} can't be read or written: it is a named pipe, and no regular file" in said.err
    if name != path.name:
        assert path.read_bytes() == before


@root_only
def test_a_file_whose_owner_cannot_be_kept_is_not_touched(open_directory: Path) -> None:
    path = open_directory / "settings.json"
    path.write_text("{}")
    with effective_user(4001), pytest.raises(ObservatoryError) as caught:
        install(path)
    assert str(caught.value) == f"{path} belongs to uid 0, gid 0, which uid 4001 can't keep; run this as its owner"
    assert caught.value.status is ExitStatus.NOT_PERMITTED
    assert path.read_text() == "{}"
    assert names(path) == ["settings.json"]


@root_only
def test_a_directory_that_may_not_be_written_is_named(open_directory: Path) -> None:
    path = open_directory / "settings.json"
    path.write_text("{}")
    open_directory.chmod(0o755)
    with (
        effective_user(4001),
        pytest.raises(ObservatoryError, match=f"{path} can't be read or written: Permission") as caught,
    ):
        install(path)
    assert caught.value.status is ExitStatus.NOT_PERMITTED
