"""A hook between two servers: whatever ends, and whoever takes a name at whatever moment, no stranger gets the event.

The hook's own shell stops before each step of its command and waits until it's told to go on, so that mallory acts at
each moment there is.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from observatory.hooks.command import Recipient, hook_command
from tests.hostile.machine import RUNTIME, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.hostile.machine import Peer, Person

KNOWN = "/tmp/claude-observatory.sock"
IN_TMP = "/tmp/claude-observatory-1500"
SOCKET = "claude-observatory.sock"
EVENT = {"hook_event_name": "Stop", "secret": "for alice's server only"}

BEFORE = (
    f"observatory_socket={KNOWN}; "
    r'{ [ -n "$(find "$observatory_socket" -prune -type s \( -user "$(id -u)" -o -user 0 \))" ] && '
    "curl -q -s --noproxy '*' --connect-timeout 0.3 --max-time 0.7 "
    '--unix-socket "$observatory_socket" -X POST '
    "-H 'Content-Type: application/json' -H 'Expect:' --data-binary @- "
    "'http://localhost/hook?event=Stop' || cat; } >/dev/null 2>&1 || true"
)
"""What earlier versions installed, which asks for the owner of a name and then connects to that name."""

STEPS = """
exec 8>&1 9<&0 </home/alice/event.json
trap 'echo "${BASH_COMMAND%%[$IFS]*}" >&8; read -r _ <&9' DEBUG
set -o functrace
"""


@pytest.fixture(scope="module")
def people() -> Iterator[dict[str, Person]]:
    with opened() as everybody:
        alice = everybody["alice"]
        assert alice.run("sh", "-c", "cat >event.json", input=json.dumps(EVENT)).status == 0
        yield everybody


@pytest.fixture(scope="module")
def alice(people: dict[str, Person]) -> Person:
    return people["alice"]


@pytest.fixture(scope="module")
def peers(people: dict[str, Person]) -> Iterator[dict[str, Peer]]:
    """A process of each user's."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(person.peer()) for name, person in people.items()}


@pytest.fixture(autouse=True)
def _empty(peers: dict[str, Peer]) -> Iterator[None]:
    yield
    clear(peers)


def clear(peers: dict[str, Peer]) -> None:
    """Let nothing be left of what was."""
    for peer in peers.values():
        peer.does("end")
        peer.received()
    peers["root"].does("clear", "/tmp", "/srv", RUNTIME)


def hook(alice: Person, command: str, at: int | None = None, act: Callable[[], None] | None = None) -> list[str]:
    """Run a hook as alice, step by step, and act before the step of that number: its steps."""
    process = alice.start("bash", "-c", STEPS + command)
    steps: list[str] = []
    while True:
        try:
            step = process.read_line()
        except EOFError:
            break
        if len(steps) == at and act is not None:
            act()
        steps.append(step)
        process.send("\n")
    process.close_input()
    assert process.wait().status == 0
    return steps


def to(path: str, *uids: int) -> str:
    return hook_command("Stop", Recipient(path, uids))


# What mallory does as soon as the server has ended. `directory` is where the hook's socket was.


def binds_the_name(mallory: Peer, directory: str) -> None:
    mallory.tries("bind", f"{directory}/{SOCKET}")


def makes_the_directory(mallory: Peer, directory: str) -> None:
    mallory.tries("mkdir", directory, "755")
    mallory.tries("bind", f"{directory}/{SOCKET}")


def links_to_a_directory_of_her_own(mallory: Peer, directory: str) -> None:
    mallory.tries("mkdir", "/srv/mallory")
    mallory.tries("bind", f"/srv/mallory/{SOCKET}")
    mallory.tries("link", "/srv/mallory", directory)


def links_to_a_directory_of_alices_that_all_may_write_in(mallory: Peer, directory: str) -> None:
    mallory.tries("bind", f"/srv/alice/{SOCKET}")
    mallory.tries("link", "/srv/alice", directory)


def moves_such_a_directory_to_the_name(mallory: Peer, directory: str) -> None:
    mallory.tries("bind", f"/srv/alice/{SOCKET}")
    mallory.tries("move", "/srv/alice", directory)


def links_to_a_directory_of_roots_that_her_group_may_write_in(mallory: Peer, directory: str) -> None:
    mallory.tries("bind", f"/srv/group/{SOCKET}")
    mallory.tries("link", "/srv/group", directory)


def links_the_socket(mallory: Peer, directory: str) -> None:
    mallory.tries("bind", "/srv/s")
    mallory.tries("mkdir", directory, "777")
    mallory.tries("link", "/srv/s", f"{directory}/{SOCKET}")


ATTACKS = [
    binds_the_name,
    makes_the_directory,
    links_to_a_directory_of_her_own,
    links_to_a_directory_of_alices_that_all_may_write_in,
    moves_such_a_directory_to_the_name,
    links_to_a_directory_of_roots_that_her_group_may_write_in,
    links_the_socket,
]

PLACES = [
    pytest.param("alice", RUNTIME, id="runtime directory"),
    pytest.param("alice", IN_TMP, id="own directory in tmp"),
    pytest.param("root", "/tmp/claude-observatory-0", id="directory of root's in tmp"),
]


@dataclass(frozen=True, slots=True)
class Race:
    """What alice's hook did, what the server got for which it was meant, and what mallory got."""

    steps: list[str]
    arrived: list[str]
    stolen: list[str]


def race(
    alice: Person,
    peers: dict[str, Peer],
    owner: str,
    path: str,
    command: str,
    attack: Callable[[Peer, str], None],
    at: int | None,
) -> Race:
    """Run alice's hook, and let the server of `owner` end, and mallory attack, before its step `at`.

    A directory in /tmp is taken away as well, as programs do that clean up there, so that its name is free.
    """
    clear(peers)
    directory, _, _ = path.rpartition("/")
    server, root, mallory = peers[owner], peers["root"], peers["mallory"]
    made = directory.startswith("/tmp/")
    if made:
        server.does("mkdir", directory)
    peers["alice"].does("mkdir", "/srv/alice", "777")
    root.does("mkdir", "/srv/group", "2775", "1700")
    server.does("bind", path)

    def act() -> None:
        server.does("end")
        if made:
            root.does("remove", directory)
        attack(mallory, directory)

    steps = hook(alice, command, at, act)
    return Race(steps, server.received(), mallory.received())


@pytest.mark.parametrize(("owner", "directory"), PLACES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_moment_is_mallorys(
    alice: Person, peers: dict[str, Peer], owner: str, directory: str, attack: Callable[[Peer, str], None]
) -> None:
    path = f"{directory}/{SOCKET}"
    peace = race(alice, peers, owner, path, to(path), attack, None)
    assert "for alice's server only" in peace.arrived[0]
    assert "curl" in peace.steps
    for at, step in enumerate(peace.steps):
        found = race(alice, peers, owner, path, to(path), attack, at)
        assert (found.arrived, found.stolen) == ([], []), f"before step {at}, {step}"


def binds_the_known_name(mallory: Peer, _directory: str) -> None:
    mallory.does("bind", KNOWN)


def test_a_hook_that_depends_on_a_name_is_mallorys_in_one_moment(alice: Person, peers: dict[str, Peer]) -> None:
    peace = race(alice, peers, "alice", KNOWN, BEFORE, binds_the_known_name, None)
    assert len(peace.arrived) == 1
    lost = [
        step
        for at, step in enumerate(peace.steps)
        if race(alice, peers, "alice", KNOWN, BEFORE, binds_the_known_name, at).stolen
    ]
    assert lost == ["curl"]


PINS = 'cd "${observatory_socket%/*}/" && s=./${observatory_socket##*/}'
SHELL_LOOKS = '[ -O . ] && [ ! -k . ] && [ -O "$s" ] && [ ! -L "$s" ]'


def without(command: str, *guards: tuple[str, str]) -> str:
    for guard, nothing in guards:
        assert command.count(guard) == 1
        command = command.replace(guard, nothing)
    return command


@pytest.mark.parametrize(
    ("owner", "guards"),
    [
        pytest.param("alice", [(SHELL_LOOKS, "true")], id="the shell looks at nothing"),
        pytest.param("root", [('[ -z "$x" ]', "true")], id="find looks at nothing"),
        pytest.param(
            "alice",
            [(PINS, "s=$observatory_socket"), (SHELL_LOOKS, SHELL_LOOKS.replace(".", '"${s%/*}"'))],
            id="the name counts, not the directory",
        ),
    ],
)
def test_each_guard_is_what_keeps_her_out(
    alice: Person, peers: dict[str, Peer], owner: str, guards: list[tuple[str, str]]
) -> None:
    path = f"{IN_TMP}/{SOCKET}"
    command = without(to(path), *guards)
    steps = race(alice, peers, owner, path, command, makes_the_directory, None).steps
    assert any(race(alice, peers, owner, path, command, makes_the_directory, at).stolen for at in range(len(steps))), (
        "mallory gets nothing with less care either"
    )
