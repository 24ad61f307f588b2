"""Many at once: a thousand sessions, a hundred followers, ten thousand users.

Each table has smaller crowds beside the large one. The clients are Python's and share the machine with the server, so
what says most of the server is its processor time for one event; rates are of all of it together. Users are this
machine's if root runs it; else that table is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import selectors
import socket
import struct
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import memory_mb, note, observatory, processor_seconds, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

    from ingest import Subject

SESSIONS = (10, 100, 1_000)
FOLLOWERS = (0, 1, 10, 100)
USERS = (1, 100, 10_000)
EVENTS = 20_000
"""Of each crowd together."""
SENDERS = 2
"""Processes that send to followers."""
TOLD = 64
"""Events of which a follower's lag is taken: one in so many."""
_STAMP = re.compile(rb'"_ts":"([^"]+)"')


def middle_and_most(times: Sequence[float]) -> tuple[float, float]:
    """Of times in their order, the median and that which 99 of 100 stay within."""
    return times[len(times) // 2], times[len(times) * 99 // 100]


def lag(line: bytes) -> float | None:
    """Milliseconds since the first event in this was committed; nothing if none is in it."""
    stamp = _STAMP.search(line)
    return None if stamp is None else (time.time() - datetime.fromisoformat(stamp[1].decode()).timestamp()) * 1e3


@dataclass(frozen=True, slots=True)
class Load:
    """What a crowd has sent, and what that took."""

    events: int
    seconds: float
    cpu: float
    """Of the server, in seconds."""
    times: list[float]
    """Milliseconds from the connect to the answer, in their order."""

    def shown(self) -> tuple[str, ...]:
        """Rate, processor time an event, and how long one took."""
        middle, most = middle_and_most(self.times)
        return (
            f"{self.events / self.seconds:,.0f}",
            f"{self.cpu / self.events * 1e6:.0f}",
            f"{middle:.1f}",
            f"{most:.1f}",
        )


LOAD = ("events/s", "cpu us", "p50 ms", "p99 ms")


def hook(name: str, session: str, number: int) -> bytes:
    """A hook's request as curl writes it."""
    said = {
        "session_id": session,
        "cwd": "/home/alice/src/app",
        "hook_event_name": name,
        "tool_name": "Bash",
        "tool_use_id": f"toolu_{number:012}",
        "tool_input": {"command": "make test"},
    }
    body = json.dumps(said).encode()
    head = (
        f"POST /hook?event={name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    )
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + body


def say(path: str, data: bytes) -> float:
    """Send one, on a connection of its own, and wait for the answer; the milliseconds that took."""
    begun = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(data)
        answer = sock.recv(4096)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"a hook was answered with {answer!r}")
    return (time.perf_counter() - begun) * 1e3


def together(subject: Subject, count: int, work: Callable[[int], list[float]]) -> Load:
    """So many processes do this at once, from the same moment on."""
    reading, writing = os.pipe()
    waiting, release = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(release)
            os.read(waiting, 1)  # the end of it, when all are there
            status = 1
            try:
                times = work(number)
                # As many bytes as a pipe takes at once, so that nobody's get between (pipe(7)).
                for start in range(0, len(times), 400):
                    part = times[start : start + 400]
                    os.write(writing, struct.pack(f"i{len(part)}d", len(part), *part))
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    os.close(writing)
    used, begun = processor_seconds(subject.process), time.perf_counter()
    os.close(release)
    os.close(waiting)
    times = []
    with os.fdopen(reading, "rb") as found:
        while head := found.read(8):
            size = struct.unpack("i4x", head)[0]
            times += struct.unpack(f"{size}d", found.read(8 * size))
    took = time.perf_counter() - begun
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a client has failed")
    return Load(len(times), took, processor_seconds(subject.process) - used, sorted(times))


def sessions(directory: Path, events: int) -> None:
    """Each is a process that begins, uses tools, and ends."""
    rows = []
    for count in SESSIONS:
        note(f"{count} sessions")
        with observatory(directory, f"sessions{count}") as subject:

            def work(number: int, count: int = count, path: str = subject.path) -> list[float]:
                names = ["SessionStart", *["PreToolUse", "PostToolUse"] * (events // count // 2 - 1), "SessionEnd"]
                return [say(path, hook(name, f"session-{number}", place)) for place, name in enumerate(names)]

            load = together(subject, count, work)
            rows.append((f"{count:,}", *load.shown(), f"{memory_mb(subject):.0f}"))
    shown(("sessions", *LOAD, "peak MB"), rows, f"sessions at once, each a process, {events:,} events together")


def followers(directory: Path, events: int) -> None:
    """Each reads every event as it comes, in one process beside the server."""
    rows = []
    for count in FOLLOWERS:
        note(f"{count} followers")
        with observatory(directory, f"followers{count}") as subject, ExitStack() as stack:
            socks = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
            for sock in socks:
                sock.connect(subject.path)
                sock.sendall(b"GET /events?follow=1&limit=0 HTTP/1.0\r\nHost: localhost\r\n\r\n")
                sock.recv(4096)
            reader, lags = _reader(socks, events)

            def work(sender: int, path: str = subject.path) -> list[float]:
                each = range(events // SENDERS)
                return [say(path, hook("PostToolUse", f"session-{sender}", place)) for place in each]

            load = together(subject, SENDERS, work)
            late = json.loads(lags.read()) if socks else []
            os.waitpid(reader, 0)
            behind = [f"{each:.1f}" for each in middle_and_most(late)] if late else ["", ""]
            rows.append((f"{count:,}", *load.shown(), *behind, f"{memory_mb(subject):.0f}"))
            lags.close()
    headings = ("followers", *LOAD, "lag p50 ms", "lag p99 ms", "peak MB")
    shown(headings, rows, f"followers of everything, {SENDERS} senders, {events:,} events together")


def _reader(socks: Sequence[socket.socket], events: int) -> tuple[int, IO[bytes]]:
    """A process that reads until each has got every event, and then says the lags in milliseconds, in their order."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            lags = sorted(_read_all(socks, events))
            with os.fdopen(writing, "wb") as out:
                out.write(json.dumps(lags).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    return pid, os.fdopen(reading, "rb")


def _read_all(socks: Sequence[socket.socket], events: int) -> list[float]:
    lags: list[float] = []
    left = dict.fromkeys(socks, events)
    with selectors.DefaultSelector() as selector:
        for each in socks:
            selector.register(each, selectors.EVENT_READ, each)
        while left:
            for key, _ in selector.select():
                sock = key.data
                piece = sock.recv(1 << 16)
                if not piece:
                    raise SystemExit("a follower was dropped")
                before = left[sock]
                left[sock] -= piece.count(b"\n")
                if left[sock] // TOLD != before // TOLD and (behind := lag(piece)) is not None:
                    lags.append(behind)
                if left[sock] <= 0:
                    selector.unregister(sock)
                    del left[sock]
    return lags


def users(directory: Path, events: int) -> None:
    """Each begins a session, which is looked at, and says as much as the others; then one asks for what it has said."""
    if os.geteuid() != 0:
        print("not root, so nobody else: the users are left out", file=sys.stderr)
        return
    rows = []
    for count in USERS:
        note(f"{count} users")
        with observatory(directory, f"users{count}", "--mode", "0666") as subject:
            Path(subject.path).parent.chmod(0o755)

            def work(_number: int, count: int = count, path: str = subject.path, each: int = count) -> list[float]:
                return [say_as(100_000 + place % count, path, hook("Stop", "s", place)) for place in range(each)]

            first = together(subject, 1, work)
            load = together(subject, 1, partial(work, each=events))
            asked = sorted(ask_as(100_000 + count // 2, subject.path, events // count + 1) for _ in range(20))
            # The processor's time is counted in hundredths of a second.
            begun = f"{first.cpu / first.events * 1e6:.0f}" if count >= 1000 else ""
            rows.append((f"{count:,}", begun, *load.shown(), f"{asked[10]:.1f}", f"{memory_mb(subject):.0f}"))
    headings = ("users", "first, cpu us", *LOAD, "one's own, ms", "peak MB")
    shown(headings, rows, f"users: each one's first event, and {events:,} more of all in turn")


def say_as(uid: int, path: str, data: bytes) -> float:
    """Send one as a user: whose it is counts when it connects."""
    os.seteuid(uid)
    try:
        return say(path, data)
    finally:
        os.seteuid(0)


def ask_as(uid: int, path: str, events: int) -> float:
    """Milliseconds until a user has got the newest of its events, a hundred at most."""
    os.seteuid(uid)
    try:
        begun = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"GET /events?limit=100 HTTP/1.0\r\nHost: localhost\r\n\r\n")
            found = b"".join(iter(lambda: sock.recv(1 << 16), b"")).partition(b"\r\n\r\n")[2].count(b"\n")
    finally:
        os.seteuid(0)
    if found != min(100, events):
        raise SystemExit(f"a user of {events} events got {found}")
    return (time.perf_counter() - begun) * 1e3


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EVENTS, help="events of each crowd together (default: 20000)")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="crowd") as temporary:
        for crowd in (sessions, followers, users):
            crowd(Path(temporary), options.each)
    return 0


if __name__ == "__main__":
    sys.exit(main())
