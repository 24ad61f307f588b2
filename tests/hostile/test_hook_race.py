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

from observatory.address import private_socket
from observatory.hooks.command import Recipient, hook_command, recipient_of
from tests.hostile.machine import ROOTS, RUNTIME, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from observatory.hooks.command import Place
    from tests.hostile.machine import Peer, Person

KNOWN = "/tmp/claude-observatory.sock"
EVENT = {"hook_event_name": "Stop", "secret": "for alice's server only"}

BEFORE = (
    f"observatory_socket={KNOWN}; "
    r'{ [ -n "$(find "$observatory_socket" -prune -type s \( -user "$(id -u)" -o -user 0 \))" ] && '
    "curl -q -s --noproxy '*' --connect-timeout 0.3 --max-time 0.7 "
    '--unix-socket "$observatory_socket" -X POST '
    "-H 'Content-Type: application/json' -H 'Expect:' --data-binary @- "
    "'http://localhost/hook?event=Stop' || cat; } >/dev/null 2>&1 || true"
)
"""A command that asks for the owner of a name and then connects to that name."""

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
    peers["root"].does("clear", "/tmp", "/srv", RUNTIME, ROOTS)


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


def to(path: str, place: Place = "unknown") -> str:
    return hook_command("Stop", Recipient(path, place=place))


# What mallory does as soon as the server has ended. `path` is where the hook's socket was.


def binds_the_name(mallory: Peer, path: str) -> None:
    mallory.tries("bind", path)
    mallory.tries("bind", KNOWN)


def makes_the_directory(mallory: Peer, path: str) -> None:
    mallory.tries("mkdir", above(path), "755")
    mallory.tries("bind", path)


def links_to_a_directory_of_her_own(mallory: Peer, path: str) -> None:
    mallory.tries("mkdir", "/srv/mallory")
    mallory.tries("bind", f"/srv/mallory/{name(path)}")
    mallory.tries("link", "/srv/mallory", above(path))


def links_to_a_directory_of_alices_that_all_may_write_in(mallory: Peer, path: str) -> None:
    mallory.tries("bind", f"/srv/alice/{name(path)}")
    mallory.tries("link", "/srv/alice", above(path))


def moves_such_a_directory_to_the_name(mallory: Peer, path: str) -> None:
    mallory.tries("bind", f"/srv/alice/{name(path)}")
    mallory.tries("move", "/srv/alice", above(path))


def links_to_a_directory_of_roots_that_her_group_may_write_in(mallory: Peer, path: str) -> None:
    mallory.tries("bind", f"/srv/group/{name(path)}")
    mallory.tries("link", "/srv/group", above(path))


def links_the_socket(mallory: Peer, path: str) -> None:
    mallory.tries("bind", "/srv/s")
    mallory.tries("mkdir", above(path), "777")
    mallory.tries("link", "/srv/s", path)
    mallory.tries("link", "/srv/s", KNOWN)


def above(path: str) -> str:
    return path.rpartition("/")[0]


def name(path: str) -> str:
    return path.rpartition("/")[2]


ATTACKS = [
    binds_the_name,
    makes_the_directory,
    links_to_a_directory_of_her_own,
    links_to_a_directory_of_alices_that_all_may_write_in,
    moves_such_a_directory_to_the_name,
    links_to_a_directory_of_roots_that_her_group_may_write_in,
    links_the_socket,
]

OWN_DIRECTORY = "/tmp/own/o.sock"
PLACES: list[tuple[str, str, Place]] = [
    ("alice", f"{RUNTIME}/claude-observatory.sock", "own"),
    ("alice", f"{RUNTIME}/claude-observatory.sock", "unknown"),
    ("alice", KNOWN, "shared"),
    ("alice", KNOWN, "unknown"),
    ("root", KNOWN, "shared"),
    ("root", KNOWN, "unknown"),
    ("alice", OWN_DIRECTORY, "own"),
    ("alice", OWN_DIRECTORY, "unknown"),
    ("root", f"{ROOTS}/o.sock", "sure"),
]
"""Whose server is where, and what was seen of that place when the hook was installed."""


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
    *,
    private: bool = True,
) -> Race:
    """Run alice's hook, and let the server of `owner` end, and mallory attack, before its step `at`.

    The server has a private socket if its own is in a shared directory. A directory in /tmp is taken away as well, as
    programs do that clean up there, so that its name is free.
    """
    clear(peers)
    server, root, mallory = peers[owner], peers["root"], peers["mallory"]
    shared = above(path) == "/tmp"
    at_last = private_socket(path) if shared and private else path
    made = above(at_last).startswith("/tmp/")
    if made:
        server.does("mkdir", above(at_last))
    for each in dict.fromkeys((at_last, path)):
        server.does("bind", each)
    peers["alice"].does("mkdir", "/srv/alice", "777")
    root.does("mkdir", "/srv/group", "2775", "1700")

    def act() -> None:
        server.does("end")
        if made:
            root.does("remove", above(at_last))
        attack(mallory, at_last)

    steps = hook(alice, command, at, act)
    return Race(steps, server.received(), mallory.received())


@pytest.mark.parametrize(("owner", "path", "place"), PLACES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_moment_is_mallorys(
    alice: Person, peers: dict[str, Peer], owner: str, path: str, place: Place, attack: Callable[[Peer, str], None]
) -> None:
    peace = race(alice, peers, owner, path, to(path, place), attack, None)
    assert "for alice's server only" in peace.arrived[0]
    assert "curl" in peace.steps
    assert ("find" in peace.steps) == (owner == "root" and place != "sure")
    for at, step in enumerate(peace.steps):
        found = race(alice, peers, owner, path, to(path, place), attack, at)
        assert (found.arrived, found.stolen) == ([], []), f"before step {at}, {step}"


@pytest.mark.parametrize("owner", ["alice", "root"])
def test_a_name_in_tmp_is_never_sent_to_without_a_private_one(
    alice: Person, peers: dict[str, Peer], owner: str
) -> None:
    assert race(alice, peers, owner, KNOWN, to(KNOWN), binds_the_name, None, private=False).arrived == []


def test_a_hook_that_depends_on_a_name_is_mallorys_in_one_moment(alice: Person, peers: dict[str, Peer]) -> None:
    peace = race(alice, peers, "alice", KNOWN, BEFORE, binds_the_name, None)
    assert len(peace.arrived) == 1
    lost = [
        step
        for at, step in enumerate(peace.steps)
        if race(alice, peers, "alice", KNOWN, BEFORE, binds_the_name, at).stolen
    ]
    assert lost == ["curl"]


def installed(alice: Person, path: str) -> Place:
    """The place that `install-hooks` takes a socket's for."""
    said = alice.observatory("install-hooks", "--global", "--dry-run", "--socket", path)
    assert said.status == 0, said
    (command,) = {
        json.loads("{" + line[1:].strip().rstrip(",") + "}")["command"]
        for line in said.stdout.splitlines()
        if '"command": ' in line and "event=Stop'" in line
    }
    recipient = recipient_of("Stop", command)
    assert recipient is not None
    assert recipient.socket == path
    return recipient.place


@pytest.mark.parametrize("path", ["/srv/group/o.sock", "/srv/roots/o.sock", "/tmp/roots/o.sock"])
def test_a_place_in_which_mallory_can_make_a_name_is_never_taken_for_a_sure_one(
    alice: Person, peers: dict[str, Peer], path: str
) -> None:
    """With a control: taken for one, it is hers."""
    root, mallory = peers["root"], peers["mallory"]
    root.does("mkdir", above(path), *(("2775", "1700") if "group" in path else ("755",)))
    root.does("bind", path)
    assert installed(alice, path) == "unknown"
    root.does("end")
    root.does("remove", above(path))
    if "group" in path:
        root.does("mkdir", above(path), "2775", "1700")
    else:
        mallory.does("mkdir", above(path), "755")
    mallory.does("bind", path)
    hook(alice, to(path))
    assert mallory.received() == []
    hook(alice, to(path, "sure"))
    assert "for alice's server only" in mallory.received()[0]


def test_a_place_is_taken_for_what_it_is(alice: Person, peers: dict[str, Peer]) -> None:
    found = {}
    for owner, path in dict.fromkeys((owner, path) for owner, path, _ in PLACES):
        clear(peers)
        if path == OWN_DIRECTORY:
            peers[owner].does("mkdir", above(path))
        peers[owner].does("bind", path)
        found[owner, path] = installed(alice, path)
    assert found == {(owner, path): place for owner, path, place in PLACES if place != "unknown"}


def test_a_project_is_told_nothing_of_this_machines_sure_places(alice: Person, peers: dict[str, Peer]) -> None:
    """Its settings may go to another one."""
    peers["root"].does("bind", path := f"{ROOTS}/o.sock")
    said = {
        scope: alice.observatory("install-hooks", scope, "--dry-run", "--socket", path).stdout
        for scope in ("--global", "--project")
    }
    assert ["find " in text for text in said.values()] == [False, True]


PINS = '{ s=./s; cd "$observatory.d/" || { s=./${observatory##*/}; cd "${observatory%/*}/"; }; }'
SHELL_LOOKS = '[ -O . ] && [ ! -k . ] && [ -O "$s" ] && [ ! -L "$s" ]'


def without(command: str, *guards: tuple[str, str]) -> str:
    for guard, nothing in guards:
        assert command.count(guard) == 1, guard
        command = command.replace(guard, nothing)
    return command


@pytest.mark.parametrize(
    ("owner", "guards"),
    [
        pytest.param("alice", [(SHELL_LOOKS, "true")], id="the shell looks at nothing"),
        pytest.param("root", [('[ -z "$x" ]', "true")], id="find looks at nothing"),
        pytest.param(
            "alice",
            [(PINS, "s=$observatory.d/s"), (SHELL_LOOKS, SHELL_LOOKS.replace(".", '"${s%/*}"'))],
            id="the name counts, not the directory",
        ),
    ],
)
def test_each_guard_is_what_keeps_her_out(
    alice: Person, peers: dict[str, Peer], owner: str, guards: list[tuple[str, str]]
) -> None:
    command = without(to(KNOWN), *guards)
    steps = race(alice, peers, owner, KNOWN, command, makes_the_directory, None).steps
    assert any(race(alice, peers, owner, KNOWN, command, makes_the_directory, at).stolen for at in range(len(steps))), (
        "mallory gets nothing with less care either"
    )
