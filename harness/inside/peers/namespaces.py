"""Peers in other namespaces than the server's."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inside.libc import LIBC
from harness.inside.peers.base import (
    ALICE,
    BOB,
    NOBODY,
    STAFF,
    TEAM,
    UnplayableError,
    as_user,
    become,
    checked,
    child,
    connect,
    ended,
    myself,
    reads,
    record,
    speak,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_DUMPABLE = 4
CLONE_NEWUSER, CLONE_NEWPID = 0x1000_0000, 0x2000_0000


def inner_pid() -> None:
    """A peer that is number 1 in a pid namespace of its own: its pid is the one that it has here."""
    checked(LIBC.unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)")
    read, write = os.pipe()

    def first() -> None:
        assert os.getpid() == 1
        become(BOB)
        os.read(read, 1)
        speak(connect(), "inner-pid", _peer_pid=1)

    pid = child(first)
    record("inner-pid", myself(pid=pid, uid=BOB, gid=BOB, groups=[]))
    os.write(write, b".")
    ended(pid)


def inner_root() -> None:
    """Root of a user namespace is whoever made it."""
    become(BOB)
    checked(LIBC.prctl(PR_SET_DUMPABLE, 1), "prctl")  # or /proc/self would be the real root's
    outer = myself()
    checked(LIBC.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    for file, text in {"setgroups": "deny", "uid_map": f"0 {BOB} 1", "gid_map": f"0 {BOB} 1"}.items():
        Path("/proc/self", file).write_text(text)
    assert os.geteuid() == 0
    record("inner-root", outer)
    speak(connect(), "inner-root", _peer_uid=os.geteuid())


def in_user_namespace(base: int, work: Callable[[], object]) -> None:
    """Do this as root of a user namespace whose users are those from `base` on, as container engines make them."""
    here, there = socket.socketpair()

    def inside() -> None:
        checked(LIBC.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
        there.send(b"made")
        there.recv(8)
        become(0)
        work()

    pid = child(inside)
    here.recv(8)
    try:
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}", file).write_text(f"0 {base} 65536")
    except PermissionError as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise UnplayableError(f"no namespace of the users from {base} on can be made here: {error.strerror}") from None
    here.send(b"mapped")
    ended(pid)


def remapped() -> None:
    """Root of one container and a user of it, root of another, a user outside, the real root: who reads what?"""

    def say(token: str, base: int = 0) -> Callable[[], None]:
        def said() -> None:
            record(token, myself(uid=base + os.geteuid(), gid=base + os.getegid()))
            speak(connect(), token)

        return said

    first, second = 100_000, 200_000
    say("host-root")()
    as_user(BOB, say("host-bob"))
    in_user_namespace(first, say("first-root", first))
    in_user_namespace(first, lambda: as_user(1000, say("first-user", first)))
    in_user_namespace(second, say("second-root", second))
    as_user(BOB, lambda: reads("host-bob"))
    in_user_namespace(first, lambda: reads("first-root"))
    in_user_namespace(first, lambda: as_user(1000, lambda: reads("first-user")))
    in_user_namespace(second, lambda: reads("second-root"))
    reads("host-root")


def from_outside() -> None:
    """The server is in user and pid namespaces of its own, where of all users only alice has a number: 0."""
    unknown = {"pid": None, "uid": None, "gid": None, "groups": None}

    def say(token: str, **seen: object) -> Callable[[], None]:
        def said() -> None:
            record(token, {**unknown, **seen})
            speak(connect(), token)

        return said

    os.setgroups([])
    say("outside-root", groups=[])()
    as_user(BOB, say("outside-bob", groups=[]))

    def alice(token: str, groups: list[int], seen_groups: list[int] | None) -> None:
        become(ALICE, STAFF, groups)
        say(token, uid=0, gid=0, groups=seen_groups)()

    ended(child(lambda: alice("outside-alice", [], [])))
    ended(child(lambda: alice("outside-alice-in-team", [TEAM], None)))
    as_user(BOB, lambda: reads("outside-bob"))


def rootless() -> None:
    """The server is in a user namespace of the users from 100000 on; some peers are users of it, others are not."""

    def say(token: str, **seen: object) -> None:
        record(token, myself(**seen))
        speak(connect(), token)

    def nobody() -> None:
        become(NOBODY, NOBODY, [NOBODY])
        say("inside-nobody", uid=None, gid=None, groups=None)

    def bob() -> None:
        become(BOB, BOB, [TEAM])
        say("inside-bob")

    os.setgroups([])
    say("outside-root", uid=None, gid=None)
    as_user(BOB, lambda: say("outside-bob", uid=None, gid=None))
    in_user_namespace(100_000, lambda: say("inside-root"))
    in_user_namespace(100_000, lambda: ended(child(bob)))
    in_user_namespace(100_000, lambda: ended(child(nobody)))
    as_user(BOB, lambda: reads("outside-bob"))
    in_user_namespace(100_000, lambda: as_user(BOB, lambda: reads("inside-bob")))


def plain() -> None:
    """A user with a group connects and speaks."""
    become(BOB, BOB, [TEAM])
    record("plain", myself())
    speak(connect(), "plain")


def sibling() -> None:
    """The server is in a pid namespace of its own, as in another container: no pid here has a number there."""

    def bob() -> None:
        record("sibling", myself(pid=None))
        speak(connect(), "sibling")

    as_user(BOB, bob)
