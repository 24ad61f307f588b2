"""A server of which nobody says where it listens is found by hooks and by older clients, whoever squats on a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from observatory.hooks.command import Recipient, hook_command
from tests.hostile.machine import RUNTIME, fields, opened
from tests.hostile.test_hook_race import BEFORE, IN_TMP, KNOWN, SOCKET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.machine import Peer, Person

CURL = ["curl", "-s", "-w", "%{http_code}", "-d", '{"a": 1}', "http://localhost/hook?event=Old", "--unix-socket"]
INSIDE = {"XDG_RUNTIME_DIR": RUNTIME}


@pytest.fixture(scope="module")
def machine() -> Iterator[dict[str, Person]]:
    with opened() as everybody:
        yield everybody


@pytest.fixture
def people(machine: dict[str, Person]) -> Iterator[dict[str, Person]]:
    yield machine
    with machine["root"].peer() as root:
        root.does("clear", "/tmp", "/srv", RUNTIME, "/home/alice", "/home/mallory", "/root")


@pytest.fixture
def alice(people: dict[str, Person]) -> Person:
    return people["alice"]


@pytest.fixture
def mallory(people: dict[str, Person]) -> Iterator[Peer]:
    with people["mallory"].peer() as peer:
        yield peer


def installed(person: Person, **more: str) -> str:
    """The hook that `install-hooks` gives a person for `Stop`."""
    done = person.observatory("install-hooks", "--global", **more)
    assert (done.status, done.stderr) == (0, "")
    settings = json.loads(person.run("cat", ".claude/settings.json").stdout)
    return str(settings["hooks"]["Stop"][0]["hooks"][0]["command"])


def fire(person: Person, command: str, text: str, **more: str) -> None:
    done = person.run("sh", "-c", command, input=json.dumps({"text": text}), **more)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")


def events(person: Person, *options: str, **more: str) -> list[dict[str, Any]]:
    done = person.observatory("events", "--json", *options, **more)
    assert done.status == 0, done.stderr
    return [fields(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("options", "environment", "where"),
    [
        ([], INSIDE, RUNTIME),
        ([], {}, IN_TMP),
        (["--mode", "0666"], INSIDE, IN_TMP),
        (["--group", "1500"], INSIDE, IN_TMP),
    ],
)
def test_hooks_and_older_clients_reach_it(
    alice: Person, options: list[str], environment: dict[str, str], where: str
) -> None:
    with alice.serving(*options, **environment) as log:
        assert log[0].startswith(f"listening on {where}/{SOCKET} mode 06")
        assert log[1].startswith(f"listening on {KNOWN} mode 06")
        command = installed(alice, **environment)
        assert command.startswith(f"observatory_socket={where}/{SOCKET}; ")
        fire(alice, command, "new")
        fire(alice, BEFORE, "of an earlier version")
        assert alice.run(*CURL, KNOWN).stdout == "200"
        assert [event.get("text") for event in events(alice, **environment)] == ["new", "of an earlier version", None]
        doctor = alice.observatory("doctor", **environment)
        assert doctor.status == 0, doctor.stdout
    left = alice.run("ls", "-A", "/tmp", RUNTIME).stdout
    assert SOCKET not in left
    if where == IN_TMP:
        assert alice.run("stat", "-c", "%a %U", IN_TMP).stdout == "755 alice\n", "its name is never free again"


def test_a_server_that_lets_others_in_is_reached_by_them_at_either_name(people: dict[str, Person]) -> None:
    with people["alice"].serving("--mode", "0666", **INSIDE):
        for path in (KNOWN, f"{IN_TMP}/{SOCKET}"):
            assert people["mallory"].run(*CURL, path).stdout == "200"
        assert {event["_peer_uid"] for event in events(people["alice"], **INSIDE)} == {1700}


def test_roots_server_is_found_by_everybodys_hooks(people: dict[str, Person]) -> None:
    alice = people["alice"]
    with people["root"].serving("--mode", "0666", XDG_RUNTIME_DIR="/root"):
        command = installed(alice, **INSIDE)
        fire(alice, command, "to root")
        assert [event["text"] for event in events(alice, **INSIDE)] == ["to root"]


def test_the_database_is_one_wherever_it_listens(alice: Person) -> None:
    with alice.serving(**INSIDE):
        fire(alice, BEFORE, "first")
    with alice.serving():
        assert [event["text"] for event in events(alice)] == ["first"]
        second = alice.observatory("serve", **INSIDE)
        assert second.status == 1
        assert "another server uses the database" in second.stderr


def test_whoever_squats_on_the_known_name_stops_and_hears_nobody(alice: Person, mallory: Peer) -> None:
    mallory.does("bind", KNOWN)
    with alice.serving(**INSIDE) as log:
        assert f"warning: clients that know no other name than {KNOWN} don't find this server: {KNOWN} is " in log[0]
        fire(alice, installed(alice, **INSIDE), "for alice")
        assert [event["text"] for event in events(alice, **INSIDE)] == ["for alice"]
        fire(alice, BEFORE, "no")
    fire(alice, installed(alice, **INSIDE), "nobody is there")
    assert mallory.received() == []


@pytest.mark.parametrize(
    ("order", "who"),
    [
        (("mkdir", IN_TMP, "755"), "mallory"),
        (("mkdir", IN_TMP, "777"), "mallory"),
        (("link", "/srv", IN_TMP), "everybody"),
    ],
)
def test_whoever_squats_on_the_directory_hears_nobody(
    alice: Person, mallory: Peer, order: tuple[str, ...], who: str
) -> None:
    mallory.does(*order)
    refused = alice.observatory("serve")
    assert refused.status == 77
    assert refused.stderr.startswith(f"{IN_TMP} ")
    assert "say by --socket where to listen" in refused.stderr
    mallory.does("bind", f"{IN_TMP}/{SOCKET}")
    refused = alice.observatory("install-hooks", "--global")
    assert refused.status == 2
    assert f"{who} may make sockets in {IN_TMP}" in refused.stderr
    fire(alice, hook_command("Stop", Recipient(f"{IN_TMP}/{SOCKET}")), "installed before")
    assert mallory.received() == []


def test_two_users_have_a_server_each(people: dict[str, Person]) -> None:
    alice, mallory = people["alice"], people["mallory"]
    with mallory.serving(), alice.serving(**INSIDE):
        for person, environment in ((alice, INSIDE), (mallory, {})):
            fire(person, installed(person, **environment), person.name)
            assert [event["text"] for event in events(person, **environment)] == [person.name]


def test_a_name_in_tmp_is_refused_for_hooks(alice: Person) -> None:
    for more in ({}, {"CLAUDE_UNIX_HOOK_WATCHER": "/tmp/o.sock"}):
        options = () if more else ("--socket", "/tmp/o.sock")
        done = alice.observatory("install-hooks", "--global", *options, **more)
        assert done.status == 2
        assert "everybody may make sockets in /tmp" in done.stderr
    assert alice.run("ls", "-A").stdout == ""
