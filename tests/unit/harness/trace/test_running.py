"""A running process is followed, and left alone as it was."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.trace.error import TraceError
from harness.trace.running import follow
from tests.helpers.deadline import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace(2) as Linux has it")

FOLLOW = """
import os, signal, sys
from harness.trace.running import follow
def failed(call):
    print(call.name, call.outcome, call.path, flush=True)
    os.kill(os.getpid(), signal.SIGINT)
print("begins", flush=True)
follow(int(sys.argv[1]), failed)
print("over", flush=True)
"""
POLLING = """
import socket, sys, threading
def poll():
    while True:
        try:
            socket.socket(socket.AF_UNIX).connect(sys.argv[1])
            return
        except OSError:
            threading.Event().wait(0.01)
thread = threading.Thread(target=poll)
thread.start()
print("ready", flush=True)
thread.join()
print("connected")
"""


@contextlib.contextmanager
def ready(program: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that has said `ready`."""
    with subprocess.Popen([sys.executable, "-ISc", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def followed(pid: int) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", FOLLOW, str(pid)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    until(lambda: process.pid in tracers(pid), "it is followed")
    return process


def tracers(pid: int) -> set[int]:
    """Who follows the threads of a process."""
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):  # a thread may end at any time
            found.add(int(status.read_text().partition("TracerPid:\t")[2].split()[0]))
    return found


def test_a_process_that_makes_threads_meanwhile_is_followed() -> None:
    """A thread of one that is followed already is followed too, and can't be begun with once more."""
    making = "import threading\nprint('ready', flush=True)\nwhile True:\n threading.Thread(target=int).start()"
    with ready(making) as process:
        for _ in range(5):
            following = followed(process.pid)
            following.send_signal(signal.SIGINT)
            said, _ = following.communicate(timeout=60)
            assert (said, following.returncode) == ("over\n", 0)


EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())


@pytest.mark.skipif(EXIT is None, reason="the number of exit(2) is known on x86_64 and aarch64")
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_who_follows_a_process_whose_first_thread_has_ended_can_be_interrupted(when: str) -> None:
    untraced = "while 'TracerPid:\\t0' in open('/proc/self/status').read(): time.sleep(0.01)"
    program = f"""
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
print("ready", flush=True)
{untraced if when == "meanwhile" else ""}
ctypes.CDLL(None).syscall({EXIT}, 0)
"""
    with ready(program) as process:
        state = Path(f"/proc/{process.pid}/status")
        if when == "before":
            until(lambda: "State:\tZ" in state.read_text(), "its first thread has ended")
        following = followed(process.pid)
        until(lambda: "State:\tZ" in state.read_text(), "its first thread has ended")
        following.send_signal(signal.SIGINT)
        said, _ = following.communicate(timeout=60)
        assert (said, following.returncode) == ("over\n", 0)


def test_a_number_that_no_process_has_is_said_to_have_none() -> None:
    with pytest.raises(TraceError, match=f"no process has pid {os.getpid() + (1 << 32)}"):
        follow(os.getpid() + (1 << 32), lambda _call: None)


def test_a_process_that_has_ended_and_one_of_the_kernels_are_said_to_be_that() -> None:
    ended = subprocess.Popen(["true"])
    until(lambda: "State:\tZ" in Path(f"/proc/{ended.pid}/status").read_text(), "it has ended")
    with pytest.raises(TraceError, match="it has ended, and its parent has not asked for that yet"):
        follow(ended.pid, lambda _call: None)
    ended.wait()
    if "Kthread" in Path("/proc/2/status").read_text():
        with pytest.raises(TraceError, match="it is a thread of the kernel's"):
            follow(2, lambda _call: None)


def test_each_thread_is_followed_and_the_process_goes_on_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "s"
    polling = subprocess.Popen([sys.executable, "-c", POLLING, str(path)], stdout=subprocess.PIPE, text=True)
    assert polling.stdout is not None
    assert polling.stdout.readline() == "ready\n"
    followed = subprocess.run(
        [sys.executable, "-c", FOLLOW, str(polling.pid)], capture_output=True, text=True, check=True
    )
    assert followed.stdout.splitlines()[:2] == ["begins", f"connect ENOENT {path}"]
    assert followed.stdout.endswith("over\n")
    assert "TracerPid:\t0\n" in Path(f"/proc/{polling.pid}/status").read_text()
    served = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import socket,sys; s=socket.socket(1); s.bind(sys.argv[1]); s.listen(); s.accept()",
            path,
        ]
    )
    assert polling.stdout.read() == "connected\n"
    assert (polling.wait(60), served.wait(60)) == (0, 0)
    polling.stdout.close()


def test_who_is_not_there_or_may_not_be_followed_is_said() -> None:
    with pytest.raises(TraceError, match="no process has pid 4194304"):
        follow(4194304, lambda _call: None)
    with pytest.raises(TraceError, match="it is the harness itself"):
        follow(os.getpid(), lambda _call: None)
