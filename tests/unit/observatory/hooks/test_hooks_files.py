"""A settings file is changed all at once or not at all, and stays whose it was."""

from __future__ import annotations

import json
import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from observatory import address
from observatory.cli.main import main
from observatory.errors import ObservatoryError
from observatory.hooks import files, settings
from tests.helpers.hook_settings import OTHER, WANTED, install, names, uninstall

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("no_client")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"hooks":{}}',
        '{"hooks": {"Stop": []}, "x": 1e5}\n',
        '{\n\t"model" : "opus",\r\n "hooks": { "Stop": [ ] , "PreToolUse":\n[{"matcher":"Bash","hooks":[]}] } }  \n\n',
        '\ufeff{ "a": "\\u00e9\\/" }',
        "",
        " \n",
    ],
)
def test_uninstalling_leaves_the_file_as_it_was_byte_for_byte(path: Path, text: str) -> None:
    path.write_bytes(text.encode())
    install(path)
    assert path.read_bytes() != text.encode()
    uninstall(path)
    assert path.read_bytes() == text.encode()
    assert names(path) == ["settings.json"]


def test_a_file_that_was_not_there_is_not_there_afterwards(path: Path) -> None:
    install(path)
    assert names(path) == ["settings.json"]
    uninstall(path)
    assert names(path) == []


def test_the_backup_is_the_file_as_it_was(path: Path) -> None:
    path.write_text('{"a":1}')
    install(path)
    assert files.backup_path(path).read_text() == '{"a":1}'


def test_installing_again_changes_nothing(path: Path) -> None:
    path.write_text('{"hooks": {"Stop": []}}')
    install(path)
    first, status = path.read_bytes(), path.stat()
    change = files.plan_install(path, WANTED)
    assert not change.changes
    assert change.diff() == ""
    install(path)
    assert path.read_bytes() == first
    assert path.stat().st_ino == status.st_ino


def test_another_socket_replaces_the_first_and_uninstalling_still_gives_back_every_byte(path: Path) -> None:
    path.write_text('{"hooks": {"Stop": [ ]}}')
    install(path)
    install(path, OTHER)
    assert settings.installed(path.read_text()) == {event: [hook] for event, hook in OTHER.items()}
    uninstall(path)
    assert path.read_text() == '{"hooks": {"Stop": [ ]}}'


def test_what_was_changed_since_the_installation_stays(path: Path) -> None:
    path.write_text('{"a": 1}')
    install(path)
    changed = json.loads(path.read_text()) | {"b": 2}
    path.write_text(json.dumps(changed, indent=2))
    change = files.plan_uninstall(path)
    assert not change.exact
    files.make(change)
    assert json.loads(path.read_text()) == {"a": 1, "b": 2}
    assert files.backup_path(path).read_text() == '{"a": 1}', "the backup of the untouched file was thrown away"


def test_what_was_changed_between_two_installations_stays(path: Path) -> None:
    path.write_text('{"a": 1}')
    install(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"b": 2}, indent=2))
    install(path, OTHER)
    uninstall(path)
    assert json.loads(path.read_text()) == {"a": 1, "b": 2}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_the_mode_is_kept_and_the_backup_has_it_too(path: Path, mode: int) -> None:
    path.write_text("{}")
    path.chmod(mode)
    install(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(files.backup_path(path).stat().st_mode) == mode
    uninstall(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_is_shown_of_a_file_and_of_its_name_moves_no_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "\x1b]0;title\x07\u202e\n\udcff" / ".claude"
    directory.mkdir(parents=True)
    evil = "\u009b31m\u202e\x7f\x1b"
    (directory / "settings.json").write_bytes(('{"a": "' + evil[:-1] + '",\r\n\t"hooks": {}}').encode())
    monkeypatch.chdir(directory.parent)
    for command in ("install-hooks", "install-hooks", "uninstall-hooks", "uninstall-hooks"):
        assert main([command, "--project"]) == 0
        said = capsys.readouterr().out
        assert "".join(said.split("\t")).replace("\n", "").isprintable()
        assert "title\\x07\\u202e\\n\\udcff/.claude/settings.json" in said
    (directory / "settings.json").write_text('{"' + evil)
    assert main(["install-hooks", "--project"]) == 1
    assert capsys.readouterr().err.rstrip("\n").isprintable()


def test_a_link_to_the_settings_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    path.symlink_to(real)
    install(files.settings_path(path.parent))
    assert path.is_symlink()
    assert len(settings.installed(real.read_text())) == len(WANTED)


def test_an_access_control_list_is_kept(path: Path) -> None:
    if sys.platform != "linux":
        raise pytest.skip.Exception("only Linux keeps access control lists in extended attributes")
    path.write_text("{}")
    # user::rw-, user:4001:r--, group::---, mask::r--, other::--- as acl(5) is stored: version 2, then (tag, perm, id).
    entries = [(1, 6, 0xFFFFFFFF), (2, 4, 4001), (4, 0, 0xFFFFFFFF), (16, 4, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
    value = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + permission.to_bytes(2, "little") + who.to_bytes(4, "little")
        for tag, permission, who in entries
    )
    try:
        os.setxattr(path, "system.posix_acl_access", value)
    except OSError:
        pytest.skip("this file system has no access control lists")
    install(path)
    for each in (path, files.backup_path(path)):
        assert os.getxattr(each, "system.posix_acl_access") == value


@pytest.mark.parametrize("content", [b"{,}", b"\xff\xfe{}", b"[1]", b'{"hooks": 3}'])
def test_a_broken_file_is_named_and_not_touched(
    path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_bytes(content)
    monkeypatch.chdir(path.parent.parent)
    for command in ("install-hooks", "uninstall-hooks"):
        assert main([command, "--project"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"observatory {command}: {path} was not touched: ")
        assert said.err.count("\n") == 1
        assert path.read_bytes() == content
        assert names(path) == ["settings.json"]


def test_a_file_that_changes_under_our_hands_is_left_to_whoever_changes_it(path: Path) -> None:
    path.write_text("{}")
    change = files.plan_install(path, WANTED)
    path.write_text('{"b": 1}')
    with pytest.raises(ObservatoryError, match="was changed by someone else meanwhile"):
        files.make(change)
    assert path.read_text() == '{"b": 1}'
    assert not [name for name in names(path) if name.startswith(".")], "a temporary file was left"


def test_a_failed_write_leaves_the_file_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("{}")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    change = files.plan_install(path, WANTED)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ObservatoryError, match="No space left on device"):
        files.make(change)
    assert path.read_text() == "{}"
    assert names(path) == ["settings.json"]


def test_a_dry_run_shows_the_change_and_makes_none(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text('{"a": 1}\n')
    monkeypatch.chdir(path.parent.parent)
    assert main(["install-hooks", "--project", "--dry-run", "--socket", "/tmp/o.sock"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"--- {path}\n+++ {path}\n@@")
    assert "observatory=/tmp/o.sock;" in said
    assert path.read_text() == '{"a": 1}\n'
    assert names(path) == ["settings.json"]


def test_the_commands_install_in_the_home_and_say_what_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.delenv("CLAUDE_UNIX_HOOK_WATCHER", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(address, "DEFAULT_SOCKET", str(tmp_path / "no-server" / "claude-observatory.sock"))
    monkeypatch.setattr(address, "SYSTEM_SOCKET", str(tmp_path / "no-server" / "observatory.sock"))
    path = tmp_path / ".claude" / "settings.json"
    assert main(["install-hooks", "--global"]) == 0
    socket = address.own_socket()
    assert socket.startswith(str(tmp_path))
    assert capsys.readouterr().out.endswith(f"{path} has 33 hooks, which send to {socket}.\n")
    assert main(["install-hooks", "--global"]) == 0
    assert capsys.readouterr().out == f"{path} has all 33 hooks already.\n"
    assert main(["uninstall-hooks", "--global"]) == 0
    assert capsys.readouterr().out.endswith(f"{path} is removed: it held nothing but observatory's hooks.\n")
    assert main(["uninstall-hooks", "--global"]) == 0
    assert capsys.readouterr().out == f"{path} has none of observatory's hooks.\n"


def test_the_configuration_directory_of_the_environment_is_the_global_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("CLAUDE_UNIX_HOOK_WATCHER", "/run/x.sock")
    assert main(["install-hooks", "--global"]) == 0
    assert "observatory=/run/x.sock;" in (tmp_path / "config" / "settings.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--server-user", "nobody-of-that-name"], "there is no user named 'nobody-of-that-name' on this machine"),
        (["--server-user", "4294967295"], "4294967295 is not a uid: those are below 4294967295"),
        (
            ["--socket", "/tmp/" + "x" * 103],
            f"has 108 bytes, and a socket's path at most {address.LONGEST_PATH}; choose a shorter one",
        ),
        (["--socket", "/tmp/\udcff"], "the socket's path is not UTF-8"),
    ],
)
def test_what_no_hook_could_use_is_refused(
    path: Path,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(path.parent.parent)
    assert main(["install-hooks", "--project", *arguments]) == 2
    assert says in capsys.readouterr().err
    assert names(path) == []


def test_a_socket_has_one_spelling(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    (path.parent / "link").symlink_to("/usr/lib")
    commands = []
    for socket in (f"{path.parent}/o.sock", "./o.sock", f"{path.parent}//x/../o.sock"):
        assert main(["install-hooks", "--project", "--socket", socket]) == 0
        commands.append((path.parent / ".claude" / "settings.json").read_text())
    assert len(set(commands)) == 1
    assert main(["install-hooks", "--project", "--socket", f"{path.parent}/link/../o.sock"]) == 0
    assert "=/usr/o.sock;" in (path.parent / ".claude" / "settings.json").read_text(), "where the link leads"
