"""`doctor` beside the client: in each way of switching hooks off or doubling them, what it says is what happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.conftest import CLAUDE, INSIDE, PROGRAMS, WORLD, running
from tests.client.test_plugin import NAMED, REPOSITORY, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Completed
    from tests.client.conftest import Person

SOCKET = "/home/alice/o.sock"
PROJECT = "/home/alice/project"
MANAGED = "/etc/claude-code"
OFF = {"disableAllHooks": True}
ON = {"disableAllHooks": False}
PLACES = {
    "user": "/home/alice/.claude/settings.json",
    "project": f"{PROJECT}/.claude/settings.json",
    "local": f"{PROJECT}/.claude/settings.local.json",
    "managed": f"{MANAGED}/managed-settings.json",
    "drop-in": f"{MANAGED}/managed-settings.d/10.json",
}
WAYS: dict[str, tuple[dict[str, dict[str, Any]], bool, int, str]] = {
    "nothing is in the way": ({}, False, 1, "has all"),
    "the user's settings": ({"user": OFF}, False, 0, ".claude/settings.json has disableAllHooks: no hook runs"),
    "the project's settings": ({"project": OFF}, False, 0, "project/.claude/settings.json has disableAllHooks"),
    "the local settings": ({"local": OFF}, False, 0, "settings.local.json has disableAllHooks"),
    "a nearer layer switches them on": ({"user": OFF, "project": ON}, False, 1, "has all"),
    "the nearest one off again": ({"user": OFF, "project": ON, "local": OFF}, False, 0, "settings.local.json has"),
    "an administrator": ({"managed": OFF, "local": ON}, False, 0, "managed-settings.json has disableAllHooks"),
    "only an administrator's hooks": ({"managed": {"allowManagedHooksOnly": True}}, False, 0, "only hooks of managed"),
    "the same in a drop-in": ({"drop-in": {"allowManagedHooksOnly": True}}, False, 0, "10.json has allowManagedHooks"),
    "hooks of plugins only": ({"managed": {"strictPluginOnlyCustomization": True}}, False, 0, "only hooks of plugins"),
    "an administrator's hooks stay": ({"managed": {"hooks": "same"}, "user": OFF}, False, 1, "has all"),
    "the same hooks twice": ({"project": {"hooks": "same"}}, False, 1, "has all"),
    "two spellings of one socket": ({"project": {"hooks": "other"}}, False, 2, "each event comes 2 times"),
    "the plugin beside the hooks": ({}, True, 2, "each event comes 2 times"),
    "the plugin, where only plugins may": (
        {"managed": {"strictPluginOnlyCustomization": True}},
        True,
        1,
        "enables the plugin",
    ),
    "the plugin, where only managed may": ({"managed": {"allowManagedHooksOnly": True}}, True, 0, "only hooks of"),
}
"""What stands in which layer, beside the user's own hooks; whether the plugin is there too; how often an event comes
then, and what is said of it."""


@pytest.fixture
def own_server(alice: Person) -> Iterator[None]:
    with running(alice.start_observatory("serve", "--socket", SOCKET)) as process:
        while "listening on" not in process.read_line("stderr"):
            pass
        yield


def in_project(person: Person, words: list[str], environment: dict[str, str], given: str = "") -> Completed:
    process = person.start(["sh", "-c", 'cd "$0" && exec "$@"', PROJECT, "env", "-i", *_set(environment), *words])
    process.send(given)
    process.close_input()
    return process.wait(90)


def _set(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def write(alice: Person, layer: str, settings: dict[str, Any], own: dict[str, Any]) -> None:
    """Put these settings where that layer is; `hooks` may be the user's own, or those by another name of the socket."""
    hooks = settings.get("hooks")
    if hooks is not None:
        text = json.dumps(own["hooks"])
        other = text.replace(f"observatory={SOCKET}", "observatory=/home/alice/link/o.sock")
        settings = {**settings, "hooks": json.loads(text if hooks == "same" else other)}
    if layer == "user":
        settings = {**own, **settings}
    owner = WORLD.principal("root" if PLACES[layer].startswith(MANAGED) else "alice")
    words = ["sh", "-c", 'mkdir -p "$(dirname "$0")" && cat >"$0"', PLACES[layer]]
    assert alice.place.run(words, owner, input=json.dumps(settings)).status == 0


@pytest.mark.usefixtures("own_server")
@pytest.mark.parametrize("way", WAYS)
def test_what_the_doctor_says_is_what_happens(alice: Person, way: str) -> None:
    layers, plugin, times, said = WAYS[way]
    assert alice.start(["sh", "-c", f"ln -s {alice.home} link && mkdir {PROJECT}"]).wait().status == 0
    if plugin:
        run(alice, "plugin", "marketplace", "add", REPOSITORY)
        run(alice, "plugin", "install", NAMED)
    alice.observatory("install-hooks", "--global", "--socket", SOCKET)
    own = json.loads(alice.read(PLACES["user"])) | {"env": {"CLAUDE_UNIX_HOOK_WATCHER": SOCKET}}
    written: dict[str, dict[str, Any]] = {"user": {}, **layers}
    for layer, settings in written.items():
        write(alice, layer, settings, own)
    try:
        turn = in_project(alice, [CLAUDE, "-p"], alice.environment, "Hello.")
        assert turn.status == 0, turn
        events = alice.observatory("events", "--json", "--socket", SOCKET, "--event", "Stop").splitlines()
        environment = {
            "HOME": alice.home,
            "PYTHONPATH": INSIDE,
            "PATH": f"{alice.place.environment['PATH']}:{PROGRAMS}",
        }
        doctor = in_project(alice, ["python3", "-m", "observatory", "doctor", "--socket", SOCKET], environment)
    finally:
        alice.place.run(["rm", "-rf", MANAGED], WORLD.principal("root"))
    assert len(events) == times, events
    (hooks,) = (line for line in doctor.stdout.splitlines() if " hooks " in line)
    assert said in hooks
    assert (doctor.status == 0) == hooks.startswith("ok") == (times == 1), doctor
