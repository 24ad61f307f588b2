"""The ground of a second look: a server is started, found, asked and ended, with nothing of the harness."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


class Seen(TypedDict):
    """What a look saw: a verdict, as the checks have them, and in words."""

    verdict: str
    seen: str


STRANGER, MEMBER = 1503, 1502
QUESTIONS = {
    "http": (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/"),
    "ssh-agent": (b"\0\0\0\x01\x0b", b"\0\0\0\x05\x0c\0\0\0\0"),
    "redis": (b"ECHO second\r\n", b"$6\r\nsecond"),
    "memcached": (b"stats\r\n", b"STAT "),
    "haproxy": (b"show stat\n", b"# pxname"),
    "dbus": (b"\0AUTH ANONYMOUS\r\n", b"REJECTED"),
    "mariadb": (b"", b"mysql_native_password"),
    "postgresql": (b"\0\0\0\x26\0\3\0\0user\0alice\0database\0postgres\0\0", b"R\0\0\0\x08\0\0\0\0"),
}
statuses: dict[int, int] = {}
"""How processes ended."""
helpers: set[int] = set()
"""Processes that this one forked for itself."""
order: dict[str, Any] = {}
"""What is to be looked at, and how the server is started."""


def become(uid: int, gid: int, groups: Sequence[int] = ()) -> None:
    """Give root up."""
    if sys.platform == "darwin":
        raise OSError(errno.ENOTSUP, "this system has no setresuid(2)")
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def start(umask: int | None = None, files: int | None = None, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start it; the Popen object. All it starts is in one session unless it leaves that."""

    def child() -> None:
        os.umask(order["umask"] if umask is None else umask)
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        become(order["uid"], order["gid"], order["groups"])

    with open("/tmp/second-look.log", "ab") as log:
        os.chmod("/tmp/second-look.log", 0o666)
        return subprocess.Popen(
            [*before, *order["command"]],
            preexec_fn=child,
            env=order["environment"],
            cwd=order["directory"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def processes() -> set[int]:
    """Every process that was started, wherever it has gone: orphans come to this process (PR_SET_CHILD_SUBREAPER)."""
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            statuses[ended[0]] = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        pass
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    fields = file.read().rpartition(") ")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry)] = int(fields[1])
    found: set[int] = set()
    grown = True
    while grown:
        more = {pid for pid, above in parents.items() if above in found or above == os.getpid()} - found - helpers
        found |= more
        grown = bool(more)
    return found


def end_all() -> None:
    """Kill whatever was started, until nothing is left."""
    deadline = time.monotonic() + 10
    while (left := processes()) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def address() -> str:
    """Where the socket is."""
    return str(order["socket"])


def patient(peer: socket.socket, seconds: float) -> None:
    """Let it wait so long, and no longer: with settimeout(), connect() would not wait at all for a full queue."""
    time_value = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time_value)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time_value)


def connected(uid: int, seconds: float = 5.0) -> str:
    """Connect as somebody, in a child; the errno name or ok."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "ok"
        try:
            become(uid, uid, order["members"].get(str(uid), []))
            with socket.socket(socket.AF_UNIX, order["type"]) as peer:
                patient(peer, seconds)
                peer.connect(address())
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, str(error))
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


def up(seconds: float | None = None) -> bool:
    """Wait until root can connect, and for a while after that."""
    deadline = time.monotonic() + (seconds or order["patience"])
    while time.monotonic() < deadline:
        if connected(0) == "ok":
            time.sleep(order["calm"])
            return True
        time.sleep(0.02)
    return False


def identity(path: str) -> tuple[int, int, int, int] | None:
    """What is there: inode, kind, mode, owner."""
    try:
        there = os.lstat(path)
    except OSError:
        return None
    return (there.st_ino, stat.S_IFMT(there.st_mode), stat.S_IMODE(there.st_mode), there.st_uid)


def held(seen: str) -> Seen:
    """It held."""
    return {"verdict": "held", "seen": seen}


def broken(seen: str) -> Seen:
    """It did not."""
    return {"verdict": "broken", "seen": seen}


def not_applicable(seen: str) -> Seen:
    """It was not to be asked."""
    return {"verdict": "not applicable", "seen": seen}


def listener_pid() -> int:
    """Who called listen() on the socket that answers (SO_PEERCRED)."""
    if sys.platform == "darwin":
        raise OSError(errno.ENOTSUP, "this system has no SO_PEERCRED")
    with socket.socket(socket.AF_UNIX, order["type"]) as peer:
        patient(peer, 5)
        peer.connect(address())
        pid: int = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return pid


def main_process() -> int:
    """The process that has the listening socket and whose parent has not, by /proc/net/unix."""
    inodes = set()
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
        for line in table:
            fields = line.split()
            if len(fields) > 7 and fields[7] == address():
                inodes.add(f"socket:[{fields[6]}]")
    holders = [pid for pid in processes() if inodes & set(links_of(pid).values())]
    return min(holders) if holders else min(processes())


def ask() -> tuple[bool, str]:
    """Whether somebody else is answered, and what was said."""
    uid = order["asker"]
    if order["type"] == socket.SOCK_DGRAM:
        send, expect = b"one more", rb"^it was taken$"
    elif order["question"]:
        send, expect = (order["question"][key].encode("latin-1") for key in ("send", "expect"))
    else:
        send, words = QUESTIONS[order["speaks"]]
        expect = re.escape(words)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said, failed = b"", b""
        try:
            become(uid, uid, order["members"].get(str(uid), []))
            with socket.socket(socket.AF_UNIX, order["type"]) as peer:
                patient(peer, 5)
                peer.connect(address())
                peer.sendall(send)
                said = b"it was taken" if order["type"] == socket.SOCK_DGRAM else b""
                while not re.search(expect, said) and (piece := peer.recv(4096)):
                    said += piece
        except OSError as error:
            failed = str(error).encode()
        os.write(writing, said[:4000] + failed)
        os._exit(1 if failed else 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    failing = os.waitpid(pid, 0)[1] != 0
    return not failing and bool(re.search(expect, said)), said[-80:].decode("latin-1")


def links_of(pid: int) -> dict[str, str]:
    """Its descriptors, and what each leads to; none of a process that is gone or may not be looked at."""
    found = {}
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def sockets_of(pid: int) -> dict[str, str]:
    """Its sockets but for the standard three descriptors: their numbers, and their links in /proc."""
    return {number: link for number, link in links_of(pid).items() if int(number) > 2 and link.startswith("socket:")}


def open_flag(pid: int, number: str) -> bool:
    """Whether the descriptor is closed by an exec."""
    with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
        (flags,) = re.findall(r"flags:\s+([0-7]+)", file.read())
    return bool(int(flags, 8) & 0o2000000)
