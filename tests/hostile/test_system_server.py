"""The server of the system's own account is found and trusted without a word, and nobody can pretend to be it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from observatory.address import SYSTEM_SOCKET
from tests.hostile.machine import fields, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.machine import Person

DIRECTORY = SYSTEM_SOCKET.rpartition("/")[0]
SERVE = ("--socket", SYSTEM_SOCKET, "--mode", "0666", "--database", "/home/mallory/db")


@pytest.fixture
def people() -> Iterator[dict[str, Person]]:
    """Mallory stands for the account `observatory`: what alice trusts is the place, not the name."""
    with opened() as everybody:
        yield everybody


def prepare(root: Person, *, owner: str, mode: str) -> None:
    """The directory is mallory's while the server makes its socket; then it is what it should be."""
    assert root.run("chown", owner, DIRECTORY).status == 0
    assert root.run("chmod", mode, DIRECTORY).status == 0


def hook(person: Person) -> str:
    done = person.observatory("install-hooks", "--global")
    assert (done.status, done.stderr) == (0, "")
    settings = json.loads(person.run("cat", ".claude/settings.json").stdout)
    return str(settings["hooks"]["Stop"][0]["hooks"][0]["command"])


def test_events_doctor_and_hooks_use_the_system_s_server_by_themselves(people: dict[str, Person]) -> None:
    root, alice, account = people["root"], people["alice"], people["mallory"]
    assert root.run("mkdir", "-p", DIRECTORY).status == 0
    prepare(root, owner="1700:1700", mode="0755")
    with account.serving(*SERVE):
        prepare(root, owner="0:0", mode="0755")
        command = hook(alice)
        assert SYSTEM_SOCKET.rpartition("/")[0] in command
        done = alice.run("sh", "-c", command, input=json.dumps({"text": "hello"}))
        assert (done.status, done.stdout, done.stderr) == (0, "", "")
        told = alice.observatory("events", "--json")
        assert (told.status, told.stderr) == (0, "")
        (event,) = map(fields, told.stdout.splitlines())
        assert (event["text"], event["_peer_uid"]) == ("hello", 1500)
        examined = alice.observatory("doctor")
        assert SYSTEM_SOCKET in examined.stdout
        assert not [line for line in examined.stdout.splitlines() if line.startswith("LOOK") and "socket" in line]


@pytest.mark.parametrize(("owner", "mode"), [("1700:1700", "0755"), ("0:1700", "0775"), ("0:0", "1777")])
def test_where_anybody_else_can_make_that_name_its_owner_is_not_trusted(
    people: dict[str, Person], owner: str, mode: str
) -> None:
    root, alice, mallory = people["root"], people["alice"], people["mallory"]
    assert root.run("mkdir", "-p", DIRECTORY).status == 0
    prepare(root, owner="1700:1700", mode="0755")
    with mallory.serving(*SERVE):
        prepare(root, owner=owner, mode=mode)
        found = alice.observatory("events", "--json")
        assert found.status == 69  # no server is found at all: it looks where alice's own would be
        assert SYSTEM_SOCKET not in found.stderr
        named = alice.observatory("events", "--json", "--socket", SYSTEM_SOCKET)
        assert named.status == 77
        assert "is uid 1700's" in named.stderr or "mallory's (uid 1700)" in named.stderr
