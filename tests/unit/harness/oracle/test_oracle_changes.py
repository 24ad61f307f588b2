"""The changes that would turn a refusal: what is offered, in which order, and that it holds."""

from __future__ import annotations

import dataclasses
import re
import subprocess

import pytest
from hypothesis import given

from harness.oracle import decide, linux, predict
from harness.world import AclEntry, Attempt, Node, World, complete, loads
from harness.world.strategies import worlds
from tests.unit.harness.oracle.conftest import ask, directory, entry, link, socket

OLD_SESSION = """
name = "old"
[groups]
docker = 999
[users.ali]
uid = 1000
groups = ["docker"]
[users.ali-before]
uid = 1000
gid = 1000
[[nodes]]
path = "/run/docker.sock"
kind = "socket"
group = "docker"
mode = "0660"
[[attempts]]
user = "ali-before"
operation = "connect"
path = "/run/docker.sock"
"""
FILTERED = """
name = "filtered"
[users.app]
uid = 1000
confined = { seccomp = { socket = "EAFNOSUPPORT" } }
[[nodes]]
path = "/srv/d"
kind = "directory"
mode = "0700"
[[nodes]]
path = "/srv/d/s"
kind = "socket"
mode = "0666"
[[attempts]]
user = "app"
operation = "connect"
path = "/srv/d/s"
"""


def offered(*arguments: object, **more: object) -> list[tuple[str, int]]:
    """What is offered, and how many others each lets in."""
    return [(change.text, change.widens) for change in ask(*arguments, **more).changes]  # type: ignore[arg-type]


def test_least_privilege_comes_first_and_opening_to_all_last() -> None:
    assert offered("dan", "connect", "/run/s", socket(mode=0o660)) == [
        ("usermod -aG web dan  # and log in again", 0),
        ("setfacl -m u:dan:w /run/s", 0),
        ("chgrp dan /run/s", 0),
        ("chmod o+w /run/s", 3),
    ]


def test_an_owner_is_told_to_give_the_bit_to_the_owner() -> None:
    assert offered("alice", "connect", "/run/s", socket(mode=0o466)) == [("chmod u+w /run/s", 0)]


def test_a_member_of_a_group_without_the_bit_is_not_told_to_join_it() -> None:
    assert offered("bob", "connect", "/run/s", socket(mode=0o606))[0] == ("setfacl -m u:bob:w /run/s", 0)
    assert ("chmod g+w /run/s", 1) in offered("bob", "connect", "/run/s", socket(mode=0o606))


def test_nobody_is_told_to_join_the_group_of_root() -> None:
    said = offered("dan", "connect", "/run/s", socket(mode=0o660, owner="root", group="root"))
    assert said == [("setfacl -m u:dan:w /run/s", 0), ("chgrp dan /run/s", 0), ("chmod o+w /run/s", 5)]


def test_nobody_is_told_to_join_a_group_without_a_name() -> None:
    said = offered("dan", "connect", "/run/s", dataclasses.replace(socket(mode=0o660), group=12345))
    assert said == [("setfacl -m u:dan:w /run/s", 0), ("chgrp dan /run/s", 0), ("chmod o+w /run/s", 5)]


def test_a_session_that_is_older_than_its_accounts_group_is_told_to_log_in_again() -> None:
    world = loads(OLD_SESSION)
    (decision,) = predict(world, world.attempts, linux(), changes=True)
    assert decision.changes[0].text == "log in again: another session of uid 1000 has the group docker already"
    assert not any("ali-before" in change.text for change in decision.changes)


def test_a_session_of_an_account_that_is_no_member_either_is_told_to_let_the_account_join() -> None:
    world = loads(OLD_SESSION.replace('groups = ["docker"]', ""))
    (decision,) = predict(world, world.attempts, linux(), changes=True)
    assert decision.changes[0].text == "usermod -aG docker ali  # and log in again"


def test_what_is_no_command_stands_behind_the_commands_as_a_comment() -> None:
    world = loads(FILTERED)
    (decision,) = predict(world, world.attempts, linux(), changes=True)
    assert decision.changes[0].text == (
        "setfacl -m u:app:x /srv/d  # and run app without that filter, or let it allow the call "
        "(RestrictAddressFamilies=, SystemCallFilter= of a unit)"
    )
    for change in decision.changes:
        assert not subprocess.run(["sh", "-nc", change.text.partition("  # ")[0]], check=False).returncode, change.text
        assert "without that filter" not in change.text.partition("  # ")[0]


def test_an_acl_that_is_there_is_extended() -> None:
    node = socket(mode=0o660, acl=(entry("user:dan:4"), entry("group::0")))
    assert ("setfacl -m u:dan:rw /run/s", 0) in offered("dan", "connect", "/run/s", node)
    assert ("setfacl -m g::w /run/s", 1) in offered("bob", "connect", "/run/s", node)


def test_several_refusals_on_the_way_are_turned_together() -> None:
    nodes = (directory("/run/d", 0o700), socket("/run/d/s", 0o660))
    said = offered("dan", "connect", "/run/d/s", *nodes)
    assert ("setfacl -m u:dan:x /run/d && setfacl -m u:dan:w /run/d/s", 0) in said
    assert ("setfacl -m u:dan:x /run/d && usermod -aG web dan  # and log in again", 0) in said


def test_entries_for_search_and_write_on_one_directory_are_one_command() -> None:
    assert ("setfacl -m u:dan:wx /run/d", 0) in offered("dan", "bind", "/run/d/s", directory("/run/d", 0o700))


@pytest.mark.parametrize("state", ["stale", "bound"])
def test_a_socket_on_which_nobody_listens_wants_a_server(state: str) -> None:
    assert offered("dan", "connect", "/run/s", socket(mode=0o666, state=state)) == [
        ("start the server that listens on /run/s", 8)
    ]


def test_a_wrong_type_wants_a_socket_of_the_right_one() -> None:
    said = offered("dan", "connect", "/run/s", socket(mode=0o666, type="dgram"))
    assert said == [("connect with a dgram socket", 8)]


def test_a_name_that_is_taken_wants_it_removed() -> None:
    assert offered("alice", "bind", "/run/d/s", directory("/run/d", 0o755), socket("/run/d/s", state="stale")) == [
        ("rm /run/d/s", 2)
    ]


def test_a_sticky_directory_wants_another_owner_of_the_thing_before_it_stops_being_sticky() -> None:
    assert offered("dan", "unlink", "/tmp/s", socket("/tmp/s")) == [("chown dan /tmp/s", 0), ("chmod -t /tmp", 4)]
    both = (socket("/tmp/a", owner="dan"), socket("/tmp/b"))
    assert offered("dan", "rename", "/tmp/a", *both, to="/tmp/b")[0] == ("chown dan /tmp/b", 0)


def test_chmod_of_anothers_thing_wants_another_owner() -> None:
    assert offered("dan", "chmod", "/run/s", socket(), mode=0o600) == [("chown dan /run/s", 0)]


def test_a_protected_symlink_wants_another_owner() -> None:
    nodes = (link("/tmp/l", "/run/s", "bob"), socket(mode=0o666))
    said = offered("dan", "connect", "/tmp/l", *nodes, rules=linux({"fs.protected_symlinks": 1}))
    assert said == [("chown -h dan /tmp/l", 0)]


@pytest.mark.parametrize(("operation", "more"), [("bind", {}), ("chmod", {"mode": 0o777})])
def test_a_read_only_mount_wants_to_be_writable(operation: str, more: dict[str, int]) -> None:
    mount = Node("/srv/m", "mount", "dan", mode=0o777, fs="tmpfs", options=("ro",))
    path = "/srv/m/d/s" if operation == "bind" else "/srv/m/d"
    said = offered("dan", operation, path, mount, directory("/srv/m/d", 0o777, "dan"), **more)
    assert said[0][0] == "mount -o remount,bind,rw /srv/m"


@pytest.mark.parametrize("path", ["/run/nothing", "/run/s/x", "/run/l", "/run/f"])
def test_nothing_is_offered_against_a_mistake_of_the_caller(path: str) -> None:
    nodes = (socket(), link("/run/l", "l"), Node("/run/f", "file", mode=0o666))
    assert offered("dan", "connect", path, *nodes) == []


def test_what_turns_nothing_is_not_offered() -> None:
    assert offered("powerless", "bind", "/run/s/x", socket()) == []


@given(worlds())
def test_an_offered_change_that_is_made_in_the_world_lets_the_attempt_succeed(world: World) -> None:
    for attempt in world.attempts:
        for change in decide(world, attempt, linux()).changes:
            changed = _with_commands(world, attempt, change.text)
            if changed is not None:
                assert predict(changed, (attempt,), linux())[0].outcome == "ok", change.text


def _with_commands(world: World, attempt: Attempt, text: str) -> World | None:
    """The world after usermod and setfacl on its nodes; None if other things are to be done."""
    commands, _, words = text.partition("  # ")
    if words not in {"", "and log in again"}:
        return None
    for command in commands.split(" && "):
        join = re.fullmatch(r"usermod -aG (\S+) \S+", command)
        grant = re.fullmatch(r"setfacl -m u:(\w+):([rwx]+) (\S+)", command)
        if join is not None:
            users = tuple(
                dataclasses.replace(user, groups=(*user.groups, join[1])) if user.name == attempt.user else user
                for user in world.users
            )
            world = dataclasses.replace(world, users=users)
        elif grant is not None and _is_made_once(world, grant[3]):
            bits = sum({"r": 4, "w": 2, "x": 1}[letter] for letter in grant[2])
            nodes = tuple(
                _with_entry(node, world.uid(grant[1]), bits) if node.path == grant[3] else node for node in world.nodes
            )
            world = dataclasses.replace(world, nodes=nodes)
        else:
            return None
    return complete(world)


def _is_made_once(world: World, path: str) -> bool:
    """Whether one node says all of what is at this path: if another takes it away, what is made there later differs."""
    kinds = [node.fs for node in world.nodes if node.path == path]
    gone = any(node.kind == "absent" and path.startswith(f"{node.path}/") for node in world.nodes)
    return kinds in ([None], ["tmpfs"]) and not gone


def _with_entry(node: Node, uid: int, bits: int) -> Node:
    """As setfacl(1): the entry is set, and the mask is all that any group or named entry has."""
    owning = next((it.permissions for it in node.acl if (it.tag, it.who) == ("group", None)), node.mode >> 3 & 7)
    named = [it for it in node.acl if it.who is not None and (it.tag, it.who) != ("user", uid)]
    mask = owning | bits
    for it in named:
        mask |= it.permissions
    entries = (*named, AclEntry("user", uid, bits), AclEntry("group", None, owning), AclEntry("mask", None, mask))
    return dataclasses.replace(node, acl=entries)
