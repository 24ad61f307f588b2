"""Whose the name is: after a second start, after a crash, where something stands there, where a stranger has it."""

from __future__ import annotations

import glob
import os
import signal
import socket
import time

from harness.showcase.second_look.ground import (
    STRANGER,
    Seen,
    address,
    become,
    broken,
    end_all,
    held,
    helpers,
    identity,
    listener_pid,
    not_applicable,
    order,
    processes,
    start,
    statuses,
    up,
)


def look_live() -> Seen:
    """Whose the name is after a second start."""
    started = start()
    assert up()
    before = identity(address())
    first = {started.pid, *processes()}  # whoever listened may have gone to the background since
    start()
    time.sleep(max(4.0, 3 * order["calm"]))
    same = identity(address()) == before
    try:
        answers = listener_pid() in first if order["type"] == socket.SOCK_STREAM else True
    except OSError as error:
        return broken(f"nobody is reached: {error}")
    return (held if same and answers else broken)(f"same file: {same}, the first answers: {answers}")


def look_stale() -> Seen:
    """Whether it starts after it was killed."""
    start()
    assert up()
    end_all()
    left = os.path.lexists(address())
    start()
    return (held if up() else broken)(f"the socket was left: {left}")


def look_foreign() -> Seen:
    """Whether six obstacles are as they were after a start."""
    faults = []
    path = address()

    def regular() -> None:
        with open(path, "w", encoding="ascii") as file:
            file.write("keep me")
        os.chown(path, STRANGER, STRANGER)
        os.chmod(path, 0o640)

    def dangling() -> None:
        os.symlink("/run/check/second-victim", path)
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)

    def living() -> None:
        keep.append(socket.socket(socket.AF_UNIX, order["type"]))
        keep[-1].bind(path)
        os.chown(path, STRANGER, STRANGER)
        os.chmod(path, 0o640)
        if order["type"] == socket.SOCK_STREAM:
            keep[-1].listen()

    def to_living() -> None:
        other = "/run/check/second-victim"
        keep.append(socket.socket(socket.AF_UNIX, order["type"]))
        keep[-1].bind(other)
        os.chown(other, STRANGER, STRANGER)
        if order["type"] == socket.SOCK_STREAM:
            keep[-1].listen()
        dangling()

    def to_stale() -> None:
        with socket.socket(socket.AF_UNIX, order["type"]) as gone:
            gone.bind("/run/check/second-victim")
        os.chown("/run/check/second-victim", order["uid"], order["gid"])
        dangling()

    def to_own_file() -> None:
        regular()
        os.rename(path, "/run/check/second-victim")
        os.chown("/run/check/second-victim", order["uid"], order["gid"])
        dangling()

    keep: list[socket.socket] = []
    for obstacle in (regular, dangling, living, to_living, to_stale, to_own_file):
        obstacle()
        before = identity(path)
        start()
        time.sleep(max(2.0, 2 * order["calm"]))
        if identity(path) != before or (obstacle is dangling and os.path.lexists("/run/check/second-victim")):
            faults.append(obstacle.__name__)
        end_all()
        for left in (path, "/run/check/second-victim"):
            if os.path.lexists(left):
                os.unlink(left)
        for state in glob.glob("/run/check/state/pid*"):
            os.unlink(state)
    return broken(f"not left alone: {faults}") if faults else held("six obstacles were left alone")


def look_squatting() -> Seen:
    """What it does where a stranger has the name, several times: whether it writes before the stranger hangs up is a
    race."""
    seen = squatted()
    for _ in range(7):
        if seen["verdict"] != "held" or order["type"] != socket.SOCK_STREAM:
            break
        seen = squatted()
    return seen


def squatted() -> Seen:
    """A start where a stranger has the name, who hangs up on everybody."""
    pid = os.fork()
    if pid == 0:
        become(STRANGER, STRANGER)
        squatter = socket.socket(socket.AF_UNIX, order["type"])
        squatter.bind(address())
        os.chmod(address(), 0o666)
        if order["type"] == socket.SOCK_STREAM:
            squatter.listen()
            while True:
                squatter.accept()
        signal.pause()
    helpers.add(pid)
    while not os.path.lexists(address()):
        time.sleep(0.01)
    time.sleep(0.1)
    before = identity(address())
    with open("/tmp/second-look.log", "wb"):
        pass
    started = start()
    deadline = time.monotonic() + 20
    while processes() and time.monotonic() < deadline and identity(address()) == before:
        time.sleep(0.05)
    time.sleep(0.2)
    taken, runs = identity(address()) != before, bool(processes())
    end_all()
    os.kill(pid, signal.SIGKILL)
    processes()
    status = statuses.get(started.pid, started.returncode)
    if not taken:
        os.unlink(address())
    with open("/tmp/second-look.log", "rb") as log:
        said = len(log.read())
    if taken:
        return not_applicable("it took the name")
    return (held if not runs and status > 0 and said else broken)(
        f"runs on: {runs}, status {status}, {said} bytes said"
    )
