"""A server of which nobody says where it listens is found by hooks and by older clients, whoever squats on a name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.machine import RUNTIME, fields, opened
from tests.hostile.test_hook_race import BEFORE, KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.machine import Peer, Person

CURL = ["curl", "-s", "-w", "%{http_code}", "-d", '{"a": 1}', "http://localhost/hook?event=Old", "--unix-socket"]
OWN = f"{RUNTIME}/claude-observatory.sock"
DIRECTORY = f"{KNOWN}.d"
PRIVATE = f"{DIRECTORY}/s"
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


def installed(person: Person, *options: str, **more: str) -> str:
    """The hook that `install-hooks` gives a person for `Stop`."""
    done = person.observatory("install-hooks", "--global", *options, **more)
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
    ("options", "environment", "listens"),
    [
        ([], INSIDE, [OWN, KNOWN]),
        ([], {}, [KNOWN, PRIVATE]),
        (["--mode", "0666"], INSIDE, [KNOWN, PRIVATE]),
        (["--group", "1500"], INSIDE, [KNOWN, PRIVATE]),
    ],
)
def test_hooks_and_older_clients_reach_it(
    alice: Person, options: list[str], environment: dict[str, str], listens: list[str]
) -> None:
    with alice.serving(*options, **environment) as log:
        assert [line.split()[2] for line in log] == listens
        command = installed(alice, **environment)
        assert command.startswith(f"observatory={listens[0]}; ")
        fire(alice, command, "new")
        fire(alice, BEFORE, "of an earlier version")
        assert alice.run(*CURL, KNOWN).stdout == "200"
        assert [event.get("text") for event in events(alice, **environment)] == ["new", "of an earlier version", None]
        doctor = alice.observatory("doctor", **environment)
        assert doctor.status == 0, doctor.stdout
    assert alice.run("find", "/tmp", RUNTIME, "-type", "s").stdout == ""
    if PRIVATE in listens:
        assert alice.run("stat", "-c", "%a %U", DIRECTORY).stdout == "755 alice\n", "its name is never free again"


@pytest.mark.parametrize("named", [("--socket", "/tmp/o.sock"), ()])
def test_a_name_in_tmp_that_somebody_says_has_a_private_socket_too(alice: Person, named: tuple[str, ...]) -> None:
    environment = INSIDE if named else {"CLAUDE_UNIX_HOOK_WATCHER": "/tmp/o.sock", **INSIDE}
    with alice.serving(*named, **environment) as log:
        assert [line.split()[2] for line in log] == ["/tmp/o.sock", "/tmp/o.sock.d/s"]
        fire(alice, installed(alice, *named, **environment), "for alice")
        assert [event["text"] for event in events(alice, *named, **environment)] == ["for alice"]


def test_a_server_that_lets_others_in_is_reached_by_them_at_either_name(people: dict[str, Person]) -> None:
    with people["alice"].serving("--mode", "0666", **INSIDE):
        for path in (KNOWN, PRIVATE):
            assert people["mallory"].run(*CURL, path).stdout == "200"
        assert {event["_peer_uid"] for event in events(people["alice"], **INSIDE)} == {1700}


def test_roots_server_is_found_by_everybodys_hooks(people: dict[str, Person]) -> None:
    alice = people["alice"]
    with people["root"].serving("--mode", "0666", XDG_RUNTIME_DIR="/root"):
        fire(alice, installed(alice, **INSIDE), "to root")
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
        assert log[0].startswith(
            f"warning: clients that look for {KNOWN} will not find this server: {KNOWN} is a socket"
        )
        command = installed(alice, **INSIDE)
        assert command.startswith(f"observatory={OWN}; ")
        fire(alice, command, "for alice")
        assert [event["text"] for event in events(alice, **INSIDE)] == ["for alice"]
        fire(alice, BEFORE, "no")
    assert installed(alice, **INSIDE) == command
    fire(alice, command, "nobody is there")
    assert mallory.received() == []


@pytest.mark.parametrize(
    "order",
    [
        ("mkdir", f"{KNOWN}.d", "755"),
        ("mkdir", f"{KNOWN}.d", "777"),
        ("link", "/srv", f"{KNOWN}.d"),
        ("write", f"{KNOWN}.d"),
    ],
)
def test_whoever_squats_on_the_private_directory_stops_and_hears_nobody(
    alice: Person, mallory: Peer, order: tuple[str, ...]
) -> None:
    mallory.does(*order)
    if order[0] != "write":
        mallory.does("bind", PRIVATE)
    with alice.serving() as log:
        assert log[0].startswith("warning: hooks will send nothing, since others may make sockets where ")
        assert f"{DIRECTORY} " in log[0]
        assert log[1].startswith(f"listening on {KNOWN} ")
        assert alice.run(*CURL, KNOWN).stdout == "200"
        fire(alice, installed(alice), "for whom?")
        doctor = alice.observatory("doctor")
        assert doctor.status == 1
        assert f"hooks send only by way of {DIRECTORY}, which is not there or not its server's alone" in doctor.stdout
    assert mallory.received() == []


def test_two_users_have_a_server_each(people: dict[str, Person]) -> None:
    alice, mallory = people["alice"], people["mallory"]
    with mallory.serving(), alice.serving(**INSIDE):
        for person, environment in ((alice, INSIDE), (mallory, {})):
            fire(person, installed(person, **environment), person.name)
            assert [event["text"] for event in events(person, **environment)] == [person.name]
