"""The doctor finds what is wrong and says what to do about it."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory import identity
from observatory.cli.main import main
from observatory.client import doctor, installed_hooks
from observatory.client.client import Client
from observatory.client.diagnosis import Diagnosis
from observatory.client.doctor import examine, exit_status
from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks import command as hook
from observatory.hooks import event_names, files, layers, settings
from observatory.hooks.command import Recipient, hook_command
from observatory.hooks.place import place_of
from tests.helpers.deadline import PATIENCE
from tests.helpers.directories import short_directory
from tests.helpers.observatory_server import ObservatoryServer, start
from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from collections.abc import Iterator

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")


@pytest.fixture(autouse=True)
def _no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed on this machine, no client's version is known, so that all events count."""
    monkeypatch.setattr(doctor, "client_version", lambda: None)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How busy this machine is, and so how long a hook takes, is nothing that is tested here."""
    monkeypatch.setattr(doctor, "HOOK_SECONDS", PATIENCE)
    monkeypatch.setattr(hook, "TOTAL_SECONDS", str(PATIENCE))


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture
def server(directory: Path) -> Iterator[ObservatoryServer]:
    made = start(directory)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(autouse=True)
def _managed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An administrator's directory of this test's own."""
    managed = directory / "managed"
    monkeypatch.setattr(layers, "MANAGED_DIRECTORY", managed)
    return managed


def look(path: Path, *directories: Path, trusted: frozenset[int] = frozenset()) -> dict[str, Diagnosis]:
    return {finding.about: finding for finding in examine(str(path), trusted, directories)}


def install(directory: Path, path: Path | str, names: tuple[str, ...] = event_names.listened(None)) -> Path:
    claude = directory / ".claude"
    claude.mkdir(exist_ok=True)
    (claude / "settings.json").write_text(settings.install("{}", settings.handlers(names, Recipient(str(path), ()))))
    return claude


def bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    return sock


@pytest.mark.usefixtures("curl")
def test_all_is_well(
    server: ObservatoryServer, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    install(directory, Path(server.path))
    assert main(["doctor", "--socket", server.path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "socket"],
        ["ok", "reach"],
        ["ok", "directories"],
        ["ok", "server"],
        ["ok", "curl"],
        ["ok", "hooks"],
        ["ok", "event"],
    ]
    assert f"{server.path} is a socket with mode 0660, owner" in lines[0]
    assert "may connect: root" in lines[1]
    assert len(server.events("?event=ObservatoryDoctor")) == 1


def test_no_socket(directory: Path) -> None:
    found = look(directory / "o.sock")
    assert found["socket"].sentence == f"there is no {directory}/o.sock; start a server with `observatory serve`"
    assert found["server"].error is not None
    assert found["server"].error.status is ExitStatus.UNAVAILABLE
    assert "event" not in found


def test_something_else_is_there(directory: Path) -> None:
    (directory / "o.sock").write_text("")
    found = look(directory / "o.sock")["socket"]
    assert "is not a socket; name a server's by --socket, or move it away" in found.sentence


def test_a_symbolic_link_is_named_with_its_target(directory: Path) -> None:
    bound(directory / "real").close()
    (directory / "o.sock").symlink_to(directory / "real")
    found = look(directory / "o.sock")["socket"]
    assert not found.ok
    assert "is a symbolic link" in found.sentence
    assert found.sentence.endswith(f"name the socket itself: {directory.resolve()}/real")


@root_only
def test_another_users_socket_is_not_to_be_trusted_unless_one_says_so(directory: Path) -> None:
    path = directory / "o.sock"
    bound(path).close()
    os.chown(path, 4001, 4001)
    found = look(path)["socket"]
    assert not found.ok
    assert "was made by 4001, not by you or root" in found.sentence
    assert "say --server-user 4001" in found.sentence
    assert look(path, trusted=frozenset({4001}))["socket"].ok


@pytest.mark.parametrize(
    ("mode", "who"),
    [
        (0o666, "everybody on this machine"),
        (0o222, "everybody on this machine"),
        (0o600, "root"),
        (0o060, "root, group root ("),
        (0o444, "root"),
    ],
)
def test_who_may_connect_is_told_by_the_write_bits(directory: Path, mode: int, who: str) -> None:
    path = directory / "o.sock"
    with bound(path):
        path.chmod(mode)
        owner = "" if os.geteuid() == 0 else ", "
        assert look(path)["reach"].sentence.startswith(f"may connect: {who}{owner}".rstrip(", "))


def test_a_closed_directory_narrows_who_may_connect(directory: Path) -> None:
    path = directory / "o.sock"
    with bound(path):
        path.chmod(0o666)
        directory.chmod(0o700)
        assert f"; of those, {directory} lets through root" in look(path)["reach"].sentence
        directory.chmod(0o755)
        assert "lets through" not in look(path)["reach"].sentence


def test_a_directory_where_anybody_may_replace_the_socket_is_named(directory: Path) -> None:
    path = directory / "o.sock"
    directory.chmod(0o777)
    found = look(path)["directories"]
    assert not found.ok
    assert found.sentence.startswith(f"{directory} can be written by everybody and has no sticky bit")


def test_a_directory_where_anybody_may_take_the_sockets_name_takes_a_private_one_beside_it(directory: Path) -> None:
    path = directory / "o.sock"
    directory.chmod(0o1777)
    found = look(path)["directories"]
    assert not found.ok
    assert found.sentence.startswith(f"everybody may make sockets in {directory}, and while no server runs the name of")
    (directory / "o.sock.d").mkdir(mode=0o755)
    found = look(path)["directories"]
    assert found.ok
    assert found.sentence.endswith(
        f"and hooks send by way of {path}.d, since everybody may make sockets in {directory}"
    )
    (directory / "o.sock.d").chmod(0o1777)
    assert not look(path)["directories"].ok


def test_a_directory_of_ones_own_in_a_shared_one_is_sure(directory: Path) -> None:
    directory.chmod(0o1777)
    (directory / "own").mkdir()
    assert look(directory / "own" / "o.sock")["directories"].ok


@root_only
def test_a_private_directory_of_another_user_is_none(directory: Path) -> None:
    path = directory / "o.sock"
    directory.chmod(0o1777)
    (directory / "o.sock.d").mkdir()
    os.chown(directory / "o.sock.d", 4001, 4001)
    assert not look(path)["directories"].ok
    assert look(path, trusted=frozenset({4001}))["directories"].ok


@root_only
def test_the_group_of_somebody_elses_directory_counts_whoever_is_in_it(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_members", lambda gid: {"root"})
    os.chown(directory, 4001, 0)
    directory.chmod(0o775)
    found = look(directory / "o.sock", trusted=frozenset({4001}))["directories"]
    assert not found.ok
    assert found.sentence.startswith(f"group root (root) may make sockets in {directory}")


def test_hooks_of_an_earlier_version_are_told(directory: Path) -> None:
    path = directory / "o.sock"
    claude = install(directory, path)
    text = (claude / "settings.json").read_text()
    (claude / "settings.json").write_text(text.replace(" [ ! -k . ] &&", "", 1))
    found = look(path, claude)["hooks"]
    assert not found.ok
    assert "has hooks of another version" in found.sentence


def test_a_directory_that_is_reached_by_a_link_is_looked_at_where_it_is(directory: Path) -> None:
    (directory / "real").mkdir()
    (directory / "real" / "inner").mkdir()
    (directory / "real").chmod(0o777)
    (directory / "link").symlink_to(directory / "real" / "inner")
    found = look(directory / "link" / "o.sock")["directories"]
    assert found.sentence.startswith(f"{directory.resolve()}/real can be written by everybody")


@root_only
def test_a_directory_of_another_user_is_named(directory: Path) -> None:
    os.chown(directory, 4001, 4001)
    found = look(directory / "o.sock")["directories"]
    assert not found.ok
    assert found.sentence.startswith(f"{directory} belongs to 4001, who can put another socket at")


@root_only
def test_a_group_is_a_risk_only_if_somebody_else_is_in_it(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.chmod(0o775)
    monkeypatch.setattr(doctor, "_members", lambda gid: {"root"})
    assert look(directory / "o.sock")["directories"].ok
    monkeypatch.setattr(doctor, "_members", lambda gid: {"root", "eve"})
    found = look(directory / "o.sock")["directories"]
    assert not found.ok
    assert found.sentence.startswith(f"{directory} can be written by group root (eve, root)")


@root_only
def test_the_directory_that_cannot_be_searched_is_named(directory: Path) -> None:
    closed = directory / "closed"
    (closed / "below").mkdir(parents=True)
    directory.chmod(0o755)
    closed.chmod(0o700)
    with bound(closed / "below" / "o.sock"), effective_user(4001):
        found = look(closed / "below" / "o.sock")
    says = f"{closed} (mode 0700, root:root) can't be searched by you"
    assert found["directories"].sentence.startswith(says)
    assert found["server"].sentence.startswith(f"you may not connect to {closed}/below/o.sock: {says}")
    assert found["server"].error is not None
    assert found["server"].error.status is ExitStatus.NOT_PERMITTED


@root_only
@pytest.mark.parametrize(
    ("mode", "owner", "group", "members", "what"),
    [
        (0o660, 0, 0, (), "root can start the server with a --group that you are in (`id -Gn` lists yours)"),
        (0o660, 0, 4002, (), "root can start the server with a --group that you are in (`id -Gn` lists yours); or "),
        (0o660, 0, 4002, ("4001",), "4002 has you in it, and not yet what you run: log in again, or begin a shell by"),
        (0o060, 4001, 4001, (), "it is your own: `chmod u+w "),
        (0o600, 0, 4001, (), "root can start the server with --mode 0660 and a --group that you are in"),
    ],
)
def test_who_may_not_connect_is_told_what_is_in_the_way_and_what_to_do(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    owner: int,
    group: int,
    members: tuple[str, ...],
    what: str,
) -> None:
    path = directory / "o.sock"
    directory.chmod(0o755)
    monkeypatch.setattr(doctor, "_members", lambda gid: {*members})
    with bound(path):
        os.chown(path, owner, group)
        path.chmod(mode)
        with effective_user(4001):
            found = look(path)
    assert found["socket"].ok
    assert found["directories"].ok
    assert not found["reach"].ok
    assert "; but not you, 4001: see below, at `server`" in found["reach"].sentence
    names = f"{'root' if owner == 0 else owner}:{'root' if group == 0 else group}"
    why = f"its permissions (mode {mode:04o}, {names}) don't let you, 4001, write to it; "
    assert found["server"].sentence.startswith(f"you may not connect to {path}: {why}{what}")
    assert not any("observatory doctor" in each.sentence for each in found.values())
    assert found["server"].error is not None
    assert found["server"].error.status is ExitStatus.NOT_PERMITTED


@root_only
def test_a_member_of_the_sockets_group_may_connect(directory: Path) -> None:
    path = directory / "o.sock"
    directory.chmod(0o755)
    with bound(path):
        os.chown(path, 0, 4002)
        path.chmod(0o660)
        with effective_user(4001, groups=[4002]):
            found = look(path)
    assert found["reach"].ok
    assert found["server"].sentence.startswith(f"nobody listens at {path}")


def test_a_refusal_that_no_permission_explains_is_put_down_to_a_security_module(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(client: Client) -> None:
        raise ObservatoryError("no", ExitStatus.NOT_PERMITTED) from PermissionError()

    monkeypatch.setattr(Client, "whoami", refuse)
    with bound(directory / "o.sock"):
        found = look(directory / "o.sock")
    assert found["reach"].ok
    assert "so a security module such as SELinux or AppArmor does not" in found["server"].sentence


def test_a_missing_directory_is_named(directory: Path) -> None:
    assert look(directory / "a" / "o.sock")["directories"].sentence == f"there is no directory {directory}/a"


def test_a_stale_socket_has_no_server(directory: Path) -> None:
    path = directory / "o.sock"
    bound(path).close()
    found = look(path)
    assert found["socket"].ok
    assert found["server"].sentence.startswith(f"nobody listens at {path}")


@pytest.mark.parametrize("version", ["curl 7.30.0 (x)\nFeatures: IPv6", ""])
def test_a_curl_that_is_too_old_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake = directory / "curl"
    fake.write_text(f"#!/bin/sh\nprintf '%s' '{version}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    assert look(directory / "o.sock")["curl"].sentence.startswith(f"{fake} can't speak to a Unix socket")


def test_a_machine_without_curl_is_told_what_to_install(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(directory))
    assert look(directory / "o.sock")["curl"].sentence.startswith("there is no curl")


def test_hooks_that_are_missing_or_send_elsewhere_are_told(directory: Path) -> None:
    path = directory / "o.sock"
    assert look(path, directory / ".claude")["hooks"].sentence.startswith("none are installed; run `observatory")
    claude = install(directory, "/elsewhere")
    assert f"sends to /elsewhere, not to {path}" in look(path, claude)["hooks"].sentence
    install(directory, path, event_names.listened(None)[1:])
    assert "has no hook for PreToolUse; run install-hooks again" in look(path, claude)["hooks"].sentence
    install(directory, path)
    assert look(path, claude)["hooks"].ok


def test_an_event_that_the_client_does_not_know_is_not_missed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claude = install(directory, directory / "o.sock", event_names.listened((2, 1, 197)))
    found = look(directory / "o.sock", claude)["hooks"]
    assert "has no hook for PreModelSwitch, PostModelSwitch, DirectoryAdded" in found.sentence
    monkeypatch.setattr(doctor, "client_version", lambda: (2, 1, 197))
    assert look(directory / "o.sock", claude)["hooks"].ok


def test_one_scope_with_all_hooks_is_enough(directory: Path) -> None:
    claude = install(directory, directory / "o.sock")
    assert look(directory / "o.sock", directory / "nothing", claude)["hooks"].ok


@pytest.mark.parametrize(
    ("text", "ok", "says"),
    [
        ('{"disableAllHooks": true}', False, "has disableAllHooks: no hook runs"),
        ('{"enabledPlugins": {"observatory@somewhere": true}}', True, "enables the plugin"),
        ('{"enabledPlugins": {"observatory@somewhere": false}}', False, "none are installed"),
        ("{", False, "was not touched: it is not JSON"),
    ],
)
def test_other_settings_that_matter_are_told(
    directory: Path, monkeypatch: pytest.MonkeyPatch, text: str, ok: bool, says: str
) -> None:
    claude = directory / ".claude"
    claude.mkdir()
    (claude / "settings.json").write_text(text)
    monkeypatch.setenv("CLAUDE_UNIX_HOOK_WATCHER", str(directory / "o.sock"))
    found = look(directory / "o.sock", claude)["hooks"]
    assert found.ok is ok
    assert says in found.sentence


PLUGIN = '{"enabledPlugins": {"observatory@m": true}}'
OFF = '{"disableAllHooks": true}'


@pytest.mark.parametrize(
    ("files", "ok", "says"),
    [
        ({"local": OFF}, False, "settings.local.json has disableAllHooks: no hook runs; take that out"),
        ({"project": OFF}, False, "project/settings.json has disableAllHooks"),
        ({"user+": OFF, "project": '{"disableAllHooks": false}'}, True, "has all"),
        ({"user+": OFF, "local": '{"disableAllHooks": false}', "project": OFF}, True, "has all"),
        ({"managed": OFF, "local": '{"disableAllHooks": false}'}, False, "managed-settings.json has disableAllHooks"),
        ({"managed": '{"allowManagedHooksOnly": true}'}, False, "only hooks of managed settings run"),
        ({"managed": '{"allowManagedHooksOnly": false}'}, True, "has all"),
        ({"managed+": '{"allowManagedHooksOnly": true}'}, True, "has all"),
        ({"managed+": "{}", "user": OFF}, True, "has all"),
        ({"local": '{"allowManagedHooksOnly": true}'}, True, "has all"),
        ({"managed": '{"strictPluginOnlyCustomization": true}'}, False, "only hooks of plugins"),
        ({"managed": '{"strictPluginOnlyCustomization": ["skills", "hooks"]}'}, False, "only hooks of plugins"),
        ({"managed": '{"strictPluginOnlyCustomization": ["skills"]}'}, True, "has all"),
        ({"drop-in": '{"allowManagedHooksOnly": true}'}, False, "managed-settings.d/10.json has allowManagedHooksOnly"),
        ({"project+": "{}"}, True, "has all"),
        ({"local": PLUGIN}, False, "each event comes 2 times: by hooks in"),
        ({"user+": PLUGIN, "local": PLUGIN.replace("true", "false")}, True, "has all"),
        ({"user": PLUGIN, "local": '{"env": {"CLAUDE_UNIX_HOOK_WATCHER": "/x"}}'}, False, "which sends to /x, not to"),
        ({"user": PLUGIN, "managed": '{"strictPluginOnlyCustomization": true}'}, True, "enables the plugin"),
        ({"user": PLUGIN, "managed": '{"allowManagedHooksOnly": true}'}, False, "only hooks of managed settings run"),
        ({"local": '{"env": {"CLAUDE_UNIX_HOOK_WATCHER": "/x"}, "enabledPlugins": {"observatory@m": true}}'}, True,
         "has all"),
        ({"local": ""}, True, "has all"),
    ],
)  # fmt: skip
def test_the_layers_of_settings_decide_as_they_do_for_the_client(
    directory: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], ok: bool, says: str
) -> None:
    """By the user's settings all hooks are installed; a layer with a `+` has them all as well."""
    path = directory / "o.sock"
    monkeypatch.setenv("CLAUDE_UNIX_HOOK_WATCHER", str(path))
    user, project = directory / "user", directory / "project"
    places = {
        "user": user / "settings.json",
        "project": project / "settings.json",
        "local": project / "settings.local.json",
        "managed": directory / "managed/managed-settings.json",
        "drop-in": directory / "managed/managed-settings.d/10.json",
    }
    hooks = settings.handlers(event_names.listened(None), Recipient(str(path)))
    elsewhere = any(name.startswith("managed+") for name in files)
    for name, text in {"user+" if not elsewhere and "user" not in files else "other": "{}", **files}.items():
        if (place := places.get(name.rstrip("+"))) is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(settings.install(text, hooks) if name.endswith("+") else text)
    found = look(path, user, project)["hooks"]
    assert (found.ok, says in found.sentence) == (ok, True), found.sentence


def test_one_socket_in_two_spellings_is_one(directory: Path) -> None:
    (directory / "link").symlink_to(directory)
    user, project = install(directory / "link", directory / "o.sock"), directory / "project" / ".claude"
    project.parent.mkdir()
    assert look(directory / "link" / "o.sock", user)["hooks"].ok
    install(project.parent, directory / "link" / "o.sock", ("Stop",))
    said = look(directory / "o.sock", user, project)["hooks"]
    assert not said.ok
    assert said.sentence.startswith("Stop comes 2 times: by hooks in ")


@pytest.mark.usefixtures("curl")
def test_the_trial_runs_the_installed_command_by_the_users_shell(
    server: ObservatoryServer, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude = install(directory, Path(server.path), ("Stop",))
    shell = directory / "bash"
    shell.write_text(f'#!/bin/sh\nprintf %s "$2" >{directory}/command\nexec sh "$@"\n')
    shell.chmod(0o755)
    monkeypatch.setenv("SHELL", str(shell))
    assert look(Path(server.path), claude)["event"].ok
    installed = settings.handlers(("Stop",), Recipient(server.path))["Stop"]["command"]
    assert (directory / "command").read_text() == installed.replace("=Stop'", "=ObservatoryDoctor'")


@pytest.mark.usefixtures("curl")
def test_a_command_that_somebody_has_changed_is_told_and_not_run(server: ObservatoryServer, directory: Path) -> None:
    claude = install(directory, Path(server.path), ("Stop",))
    text = (claude / "settings.json").read_text()
    (claude / "settings.json").write_text(text.replace("|| :", f"|| :; touch {directory}/run"))
    found = look(Path(server.path), claude)
    assert "has hooks of another version" in found["hooks"].sentence
    assert found["event"].ok
    assert not (directory / "run").exists()


@pytest.mark.parametrize(("mode", "ok"), [(0o700, True), (0o755, True), (0o1777, False)])
def test_hooks_for_a_directory_that_has_changed_since_are_told(directory: Path, mode: int, ok: bool) -> None:
    inner = directory.resolve() / "inner"
    inner.mkdir(0o700)
    with bound(inner / "o.sock"):
        place = place_of(f"{inner}/o.sock")
        assert place == "own"
        hooks = settings.handlers(event_names.listened(None), Recipient(f"{inner}/o.sock", (), place))
        (directory / ".claude").mkdir()
        (directory / ".claude" / "settings.json").write_text(settings.install("{}", hooks))
        inner.chmod(mode)
        said = look(inner / "o.sock", directory / ".claude")["hooks"]
    assert said.ok == ok, said.sentence
    assert ("is one in a directory in which everybody may make names; run install-hooks again" in said.sentence) != ok


def test_hooks_that_rely_on_a_place_do_so_by_the_word_of_who_is_trusted(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a command names nobody: whose server is trusted says the user."""
    path = directory / "o.sock"
    monkeypatch.setattr(installed_hooks, "place_of", lambda _, uids: "sure" if 4001 in uids else "unknown")
    hooks = settings.handlers(event_names.listened(None), Recipient(str(path), (4001,), "sure"))
    (directory / ".claude").mkdir()
    (directory / ".claude" / "settings.json").write_text(settings.install("{}", hooks))
    assert look(path, directory / ".claude", trusted=frozenset({4001}))["hooks"].ok
    assert "or which is another user's" in look(path, directory / ".claude")["hooks"].sentence


def test_of_several_hooks_for_another_place_or_version_the_first_of_the_file_is_told(directory: Path) -> None:
    inner = directory.resolve() / "inner"
    inner.mkdir(0o1777)
    inner.chmod(0o1777)
    socket = f"{inner}/o.sock"
    changed, other = hook_command("Stop", Recipient(socket, (), "own")), f"observatory={socket}; : another"
    for first, second, told in ((changed, other, "own, and"), (other, changed, "of another version")):
        hooks = {name: [{"type": "command", "command": each}] for name, each in (("Stop", first), ("Setup", second))}
        (directory / ".claude").mkdir(exist_ok=True)
        text = json.dumps({"hooks": {name: [{"hooks": each}] for name, each in hooks.items()}})
        (directory / ".claude" / "settings.json").write_text(text)
        assert told in look(Path(socket), directory / ".claude")["hooks"].sentence


@root_only
@pytest.mark.skipif(sys.platform != "linux", reason="/run is Linux's")
def test_hooks_of_user_and_project_for_a_directory_of_roots_are_told_as_two(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user's rely on that directory, and the project's, which are for other machines too, look again each time."""
    home, project = directory / "home", directory / "project"
    for made in (home, project):
        made.mkdir()
        os.chown(made, 4001, 4001)
    directory.chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.chdir(project)
    with tempfile.TemporaryDirectory(dir="/run") as name:
        path = f"{name}/o.sock"
        Path(name).chmod(0o755)
        with effective_user(4001):
            for scope in ("--global", "--project"):
                assert main(["install-hooks", scope, "--socket", path]) == 0
            found = look(Path(path), home / ".claude", project / ".claude")["hooks"]
    capsys.readouterr()
    assert found.sentence.startswith(
        f"each event comes 2 times: by hooks in {project}/.claude/settings.json and by hooks in "
        f"{home}/.claude/settings.json; take all but one out"
    )


def test_an_owner_without_a_number_here_is_never_advised_to_be_trusted(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = directory / "o.sock"
    bound(path).close()
    monkeypatch.setattr(doctor, "known_uid", lambda _: None)
    found = look(path, trusted=frozenset({os.geteuid(), 65534}))["socket"]
    assert not found.ok
    assert "belongs to a user who has no number in this user namespace" in found.sentence
    assert "--server-user" not in found.sentence
    monkeypatch.setattr(identity, "known_uid", lambda uid: None if uid == 65534 else uid)
    assert main(["install-hooks", "--global", "--dry-run", "--server-user", "65534"]) == 2
    assert "stands for every user who has no number here" in capsys.readouterr().err


def test_an_event_that_does_not_arrive_is_missed(server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "hook_command", lambda event, recipient: "cat >/dev/null")
    assert "has not arrived" in look(Path(server.path))["event"].sentence


@pytest.mark.usefixtures("curl")
def test_a_hook_that_takes_too_long_is_told(server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "HOOK_SECONDS", 0.0)
    found = look(Path(server.path))["event"]
    assert not found.ok
    assert "which holds up every session" in found.sentence


def test_a_server_that_mistakes_the_caller_is_told(server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "whoami", lambda self: {"uid": None})
    found = look(Path(server.path))["server"]
    assert not found.ok
    assert "sees you as unknown" in found.sentence


def test_the_worst_trouble_decides_the_exit_status() -> None:
    well, ill = Diagnosis("a", True, "-"), Diagnosis("b", False, "-")
    down = Diagnosis("c", False, "-", ObservatoryError("-", ExitStatus.UNAVAILABLE))
    closed = Diagnosis("d", False, "-", ObservatoryError("-", ExitStatus.NOT_PERMITTED))
    assert exit_status([well]) is ExitStatus.DONE
    assert exit_status([well, ill]) is ExitStatus.FAILED
    assert exit_status([ill, down]) is ExitStatus.UNAVAILABLE
    assert exit_status([down, closed]) is ExitStatus.NOT_PERMITTED


@pytest.mark.usefixtures("curl")
def test_the_command_goes_on_after_the_first_trouble(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.chdir(directory)
    assert main(["doctor", "--socket", str(directory / "o.sock")]) == 69
    said = capsys.readouterr()
    assert said.err == ""
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["LOOK", "socket"],
        ["ok", "directories"],
        ["LOOK", "server"],
        ["ok", "curl"],
        ["LOOK", "hooks"],
    ]


def test_a_server_without_hooks_is_a_failure(
    server: ObservatoryServer, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.chdir(directory)
    assert main(["doctor", "--socket", server.path]) == 1
    assert "LOOK  hooks        none are installed" in capsys.readouterr().out


@pytest.mark.usefixtures("curl")
def test_the_settings_are_only_read(directory: Path) -> None:
    claude = install(directory, directory / "o.sock")
    before = (claude / "settings.json").read_bytes()
    look(directory / "o.sock", claude)
    assert (claude / "settings.json").read_bytes() == before
    assert not files.backup_path(claude / "settings.json").exists()
