"""Who a process is: by system calls, by /proc, by a socket, and all three say the same."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from harness.inside import credentials

STATUS = """Name:\tsh\rUid:\t0\t0\t0\t0
Uid:\t1000\t1001\t1002\t1003
Gid:\t2000\t2001\t2002\t2003
Groups:\t20 7\x20
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="asks as one asks Linux")


def test_the_effective_ids_of_a_process_count() -> None:
    """The second of each line (proc(5)); and a carriage return in a name ends no line."""
    assert credentials.of_process(5, STATUS) == {"pid": 5, "uid": 1001, "gid": 2001, "groups": [7, 20]}


@linux
def test_proc_and_the_system_calls_say_the_same() -> None:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    assert credentials.of_process(os.getpid(), status) == credentials.of_this_process()


@linux
def test_the_other_end_of_a_socket_pair_is_oneself() -> None:
    here, there = socket.socketpair()
    with here, there:
        assert credentials.of_peer(here) == credentials.of_this_process()


def test_a_uid_without_a_name_has_none() -> None:
    assert credentials.user_name(0) == "root"
    assert credentials.user_name(2**32 - 2) is None or sys.platform == "darwin"
