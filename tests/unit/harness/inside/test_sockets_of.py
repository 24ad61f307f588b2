"""A process's sockets are all seen, however it opens and closes other things meanwhile."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.inside.probes.server import sockets_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

BUSY = """
import os, socket
listener = socket.socket(socket.AF_UNIX)
os.dup2(listener.fileno(), 500)
listener.close()
print(os.fstat(500).st_ino, flush=True)
while True:
    for number in [os.dup(0) for _ in range(60)]:
        os.close(number)
"""


def test_a_descriptor_that_is_closed_meanwhile_hides_no_other() -> None:
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as busy:
        assert busy.stdout is not None
        listener = busy.stdout.readline().strip()
        try:
            assert {frozenset(sockets_of(busy.pid)) for _ in range(1_000)} == {frozenset({listener})}
        finally:
            busy.kill()
