"""The connection is one process's, the words another's."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from harness.inside import procfs
from harness.inside.libc import LIBC
from harness.inside.peers import set_user_id
from harness.inside.peers.base import (
    BOB,
    CAROL,
    MALLORY,
    become,
    checked,
    child,
    connect,
    ended,
    hand_over,
    handed_over,
    myself,
    record,
    speak,
)

PRESENT = 1512
"""The user of one case, so that a server which looks at some peers of a user only looks at these."""
LONGEST_CHAIN = 8
"""So many ancestors are named, and no more."""
SETRESUID = {"x86_64": 117, "aarch64": 147}


def fork() -> None:
    """Connect, fork; the child speaks."""
    become(BOB)
    sock = connect()
    record("fork", myself())
    ended(child(lambda: speak(sock, "fork")))


def execute() -> None:
    """Connect, then execute another program, set-user-ID to somebody else, which speaks."""
    set_user_id.make(CAROL)

    def bob() -> None:
        become(BOB)
        sock = connect()
        record("execute", myself())
        sock.set_inheritable(True)
        set_user_id.go_on("speak", "execute", sock.fileno())

    ended(child(bob))


def change_user() -> None:
    """Connect as root, then become somebody else for good, then speak."""
    sock = connect()
    record("change-user", myself())
    become(MALLORY)
    speak(sock, "change-user")


def become_for_a_moment() -> None:
    """Be somebody else's effective user while connecting, and no longer."""
    os.seteuid(BOB)
    sock = connect()
    record("moment", myself())
    os.seteuid(0)
    speak(sock, "moment")


def helper() -> None:
    """A set-user-ID and set-group-ID program connects: its effective ids count, not its real ones."""
    set_user_id.make(CAROL)

    def bob() -> None:
        become(BOB)
        set_user_id.go_on("connect", "helper")

    ended(child(bob))


def thread() -> None:
    """A thread with a user of its own (which only the raw system call gives) connects."""

    def another_user() -> None:
        number = SETRESUID[os.uname().machine]
        checked(LIBC.syscall(number, BOB, BOB, BOB), "setresuid")
        sock = connect()
        record("thread", myself(uid=BOB))
        speak(sock, "thread")

    worker = threading.Thread(target=another_user)
    worker.start()
    worker.join()


def passed() -> None:
    """Connect, pass the descriptor to another user's process; that one speaks."""
    here, there = socket.socketpair()

    def receiver() -> None:
        here.close()
        become(MALLORY)
        sock, token = handed_over(there)
        speak(sock, token)

    other = child(receiver)
    become(BOB)
    sock = connect()
    record("passed", myself())
    hand_over(here, sock, "passed")
    ended(other)


def shared() -> None:
    """One keep-alive connection, on which its connector and another user's process speak in turn."""
    here, there = socket.socketpair()

    def other() -> None:
        here.close()
        become(MALLORY)
        sock, _ = handed_over(there)
        for turn in range(3):
            if not there.recv(1):
                return
            speak(sock, f"shared-other-{turn}")
            there.send(b".")

    second = child(other)
    there.close()
    become(BOB)
    sock = connect()
    hand_over(here, sock)
    for turn in range(3):
        record(f"shared-own-{turn}", myself())
        if not speak(sock, f"shared-own-{turn}"):
            break  # a server that takes one request a connection
        record(f"shared-other-{turn}", myself())
        here.send(b".")
        here.recv(1)
    here.close()
    ended(second)


def living() -> None:
    """A session runs a shell, and that a hook, which connects; its child speaks: while they live, they are named."""

    def hook() -> None:
        call_oneself("hook")
        become(PRESENT)
        sock = connect()
        process, *parents = lineage()
        record("living", myself(process={**process, "ancestors": parents}))
        ended(child(lambda: speak(sock, "living")))

    def shell() -> None:
        call_oneself("sh")
        ended(child(hook))

    call_oneself("session")
    ended(child(shell))


def call_oneself(name: str) -> None:
    """Be called something by the kernel (proc(5), `comm`)."""
    Path("/proc/self/comm").write_text(name)


def lineage() -> list[dict[str, object]]:
    """This process and its ancestors, nearest first, from /proc: `pid, comm`."""
    chain: list[dict[str, object]] = []
    pid = os.getpid()
    while pid and len(chain) <= LONGEST_CHAIN:
        comm, fields = procfs.stat(pid)
        chain.append({"pid": pid, "comm": comm})
        pid = int(fields[1])
    return chain
