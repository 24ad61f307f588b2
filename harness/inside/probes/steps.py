"""A start is taken step by step, and at each stop those who may not connect try. Runs as root.

The server and all that it starts are traced (ptrace(2)); each of them stops at the end of every system call that
binds, listens, or changes a name, a mode or an owner (on machines whose calls we don't know by number: of every
call). There the socket's mode is read and the outsiders try to connect while the server stands still. Between two
such calls nothing changes, so no window is too short to be seen, in one start.

Who is refused because nobody listens yet (ECONNREFUSED) has passed every permission check on the way, and these come
first: if the server listens before that connect() goes on, it gets in (unix_stream_connect, net/unix/af_unix.c).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import time
from typing import TYPE_CHECKING

from harness.inside.libc import LIBC, called
from harness.inside.principal import become
from harness.inside.probes import launch, seccomp
from harness.inside.probes.endpoint import find, knock
from harness.inside.probes.ready import PAUSE, wait

if TYPE_CHECKING:
    from typing import IO

    from harness.inside.messages import EncodedPerson
    from harness.inside.reports import Breach, Launch, StepsReport

TRACEME, CONT, SYSCALL, SETOPTIONS = 0, 7, 24, 0x4200
OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x80 | 0x100000
"""TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, TRACESECCOMP, EXITKILL (linux/ptrace.h)."""
NEW_PROCESS = (1, 2, 3)
"""PTRACE_EVENT_FORK, PTRACE_EVENT_VFORK, PTRACE_EVENT_CLONE."""
GETEVENTMSG = 0x4201
SECCOMP = 7
"""PTRACE_EVENT_SECCOMP: a call that the filter marks is about to begin."""
AFTERWARDS = 0.3
"""Seconds for which a server is watched on when it is reached: a datagram socket is that before it has its mode."""
WALL = 0x40000000
"""Wait for threads as well (waitpid(2))."""
AT_SYSCALL = signal.SIGTRAP | 0x80

LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def ptrace(request: int, pid: int, data: int = 0) -> None:
    """ptrace(2). Raises OSError."""
    called(LIBC.ptrace(request, pid, None, data))


def event_message(pid: int) -> int:
    """What belongs to the event at which a process stands still: of a fork, the new process. Raises OSError."""
    message = ctypes.c_ulong()
    called(LIBC.ptrace(GETEVENTMSG, pid, None, ctypes.byref(message)))
    return message.value


def main(endpoint: str, speaks: str, order: Launch, outsiders: list[EncodedPerson], seconds: float) -> None:
    """Print a `StepsReport`: at which stop who first got in, and who first got past the permissions."""
    launch.adopt_orphans()
    people = {person["label"]: _trier(person) for person in outsiders}
    report: StepsReport = {
        "ready": False,
        "stops": 0,
        "tries": 0,
        "modes": [],
        "breaches": [],
        "untraceable": None,
    }
    filtered = seccomp.known()
    pid = launch.start(order, _be_traced)
    _, status = os.waitpid(pid, WALL)
    if not os.WIFSTOPPED(status):
        _end_all(set())
        report["untraceable"] = "the server could not be started under ptrace(2)"
        print(json.dumps(report))
        return
    ptrace(SETOPTIONS, pid, OPTIONS)
    onward = CONT if filtered else SYSCALL
    ptrace(onward, pid)
    asker = _asker(endpoint, speaks, seconds)
    helpers = {asker, *(trier for trier, _, _ in people.values())}
    last: tuple[int, ...] | None = None
    traced = {pid}
    until: float | None = None
    while True:
        try:
            stopped, status = os.waitpid(-1, WALL if until is None else WALL | os.WNOHANG)
        except ChildProcessError:
            break
        if until is not None and time.monotonic() > until:
            break
        if not stopped:
            time.sleep(PAUSE)
            continue
        if stopped in helpers:
            if stopped == asker:
                report["ready"] = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
                until = time.monotonic() + AFTERWARDS
            continue
        if not os.WIFSTOPPED(status):
            traced.discard(stopped)
            if not traced:
                break
            continue
        traced.add(stopped)
        number, event = os.WSTOPSIG(status), status >> 16
        if event in NEW_PROCESS:
            traced.add(event_message(stopped))  # its own first stop may come after its parent's end
        if number == AT_SYSCALL:
            report["stops"] += 1
            last = _try_all(endpoint, people, report, last)
        deliver = 0 if number in (AT_SYSCALL, signal.SIGSTOP) or event else number
        try:
            ptrace(SYSCALL if event == SECCOMP else onward, stopped, deliver)
        except ProcessLookupError:
            continue
    report["breaches"] = _of_the_finished(endpoint, report["breaches"])
    for _, orders, _ in people.values():
        orders.close()
    _end_all(traced)
    print(json.dumps(report))


def _end_all(traced: set[int]) -> None:
    """Kill everything that is traced or a child, threads and orphans too, until nothing is left to wait for."""
    while True:
        for each in (*traced, *launch.children()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        try:
            ended, status = os.waitpid(-1, WALL)
        except ChildProcessError:
            return
        if not os.WIFSTOPPED(status):
            traced.discard(ended)


def _be_traced() -> None:
    """In the server's process, before it becomes the server."""
    ptrace(TRACEME, 0)
    if seccomp.known():
        seccomp.install()


def _try_all(
    endpoint: str,
    people: dict[str, tuple[int, IO[str], IO[str]]],
    report: StepsReport,
    last: tuple[int, ...] | None,
) -> tuple[int, ...] | None:
    """Let everyone try, if there is something to try: at the name, and wherever else beside it a socket stands."""
    now = last
    for path in _sockets(endpoint):
        try:
            there = os.lstat(path)
        except FileNotFoundError:
            continue
        if path == find(endpoint):
            before, now = now, (there.st_ino, there.st_mode, there.st_uid, there.st_gid)
            if now != before:
                report["modes"].append(f"{stat.S_IMODE(there.st_mode):04o}")
        for label, (_, orders, answers) in people.items():
            orders.write(f"{path}\n")
            orders.flush()
            outcome = answers.readline().strip()
            report["tries"] += 1
            seen = [(each["who"], each["connect"], each["inode"]) for each in report["breaches"]]
            if outcome in ("ok", "ECONNREFUSED") and (label, outcome, there.st_ino) not in seen:
                report["breaches"].append(
                    {
                        "who": label,
                        "stop": report["stops"],
                        "mode": f"{stat.S_IMODE(there.st_mode):04o}",
                        "connect": outcome,
                        "path": path,
                        "inode": there.st_ino,
                    }
                )
    return now


def _sockets(endpoint: str) -> list[str]:
    """The endpoint, and the sockets beside it: some servers bind another name and rename that."""
    found = find(endpoint)
    if found is None or "*" in endpoint:
        return [] if found is None else [found]
    directory = os.path.dirname(found)
    beside = []
    for name in os.listdir(directory):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.lstat(f"{directory}/{name}").st_mode):
                beside.append(f"{directory}/{name}")
    return beside


def _of_the_finished(endpoint: str, breaches: list[Breach]) -> list[Breach]:
    """Those that were at the socket which stands at the endpoint in the end; all, if none does."""
    try:
        inode = os.lstat(find(endpoint) or "/nowhere").st_ino
    except FileNotFoundError:
        return breaches
    return [each for each in breaches if each["inode"] == inode]


def _trier(person: EncodedPerson) -> tuple[int, IO[str], IO[str]]:
    """A process that tries once for each path that it gets."""
    told, tell = os.pipe()
    hear, say = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        os.close(say)
        return pid, os.fdopen(tell, "w"), os.fdopen(hear)
    try:
        os.close(tell)
        os.close(hear)
        become(person)
        with os.fdopen(say, "w") as answers, os.fdopen(told) as orders:
            for order in orders:
                print(knock(order.rstrip("\n")), file=answers, flush=True)
    finally:
        os._exit(0)


def _asker(endpoint: str, speaks: str, seconds: float) -> int:
    """A process that ends with 0 once the server has answered."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = 0 if wait(endpoint, speaks, lambda: True, seconds) else 1
    finally:
        os._exit(status)
