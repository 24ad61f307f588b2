from __future__ import annotations

import itertools
import os
import socket
import sys
import time
from types import SimpleNamespace

import pytest

from harness.live import listener
from harness.live.listener import OpenSocket, holders, open_unix_sockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_who_has_a_socket_open_is_told_with_its_name_and_since_when() -> None:
    with socket.socket(socket.AF_UNIX) as one:
        found = [holder for holder in holders(os.fstat(one.fileno()).st_ino) if holder.pid == os.getpid()]
    assert [holder.uid for holder in found] == [os.geteuid()]
    assert found[0].name
    assert 0 <= time.time() - found[0].since < 30 * 86400


def test_a_machine_that_is_busy_with_other_things_hides_no_holder(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = itertools.count(0.0, 60.0)
    clocks = SimpleNamespace(monotonic=waited.__next__, thread_time=time.thread_time, time=time.time)
    monkeypatch.setattr(listener, "time", clocks)
    with socket.socket(socket.AF_UNIX) as one:
        assert os.getpid() in {holder.pid for holder in holders(os.fstat(one.fileno()).st_ino)}


def test_a_socket_that_nobody_has_open_has_no_holder() -> None:
    with socket.socket(socket.AF_UNIX) as one:
        inode = os.fstat(one.fileno()).st_ino
    assert holders(inode) == ()


def test_unix_sockets_that_nobody_has_listed_are_found_and_no_others() -> None:
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_INET) as other:
        inode, internet = (os.fstat(each.fileno()).st_ino for each in (one, other))
        found = set(open_unix_sockets(set()))
        assert OpenSocket(os.getpid(), one.fileno(), inode) in found
        assert internet not in {each.inode for each in found}
        assert inode not in {each.inode for each in open_unix_sockets({inode})}
