"""A running process is followed, and left alone as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.trace.error import TraceError
from harness.trace.running import follow

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
    with pytest.raises(TraceError, match="may not be followed"):
        follow(os.getpid(), lambda _call: None)
