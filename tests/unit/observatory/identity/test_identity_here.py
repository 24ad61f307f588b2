"""The plain case on whatever system this is: real sockets, a real peer, and the ids that Python itself reports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from observatory.identity import PeerCredentials, accepted_credentials, peer_credentials
from tests.helpers.directories import short_directory
from tests.helpers.presence import present

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform == "win32":
    raise pytest.skip.Exception("CPython has no Unix sockets there", allow_module_level=True)

UNKNOWN = PeerCredentials(None, None, None, None)
KNOWN = ("linux", "android", "darwin", "freebsd", "openbsd", "netbsd")
on_a_known_system = pytest.mark.skipif(
    not sys.platform.startswith(KNOWN), reason="the kernel of this system tells no peer credentials"
)

PEER = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    print("connected", flush=True)
    sys.stdin.read()
"""


@contextmanager
def connection() -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    """The accepting side of a connection that another process made, and that process."""
    with short_directory() as directory, socket.socket(socket.AF_UNIX) as listener:
        path = f"{directory}/s"
        listener.bind(path)
        listener.listen()
        command = [sys.executable, "-I", "-S", "-c", PEER, path]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"connected\n"
            accepted, _ = listener.accept()
            with accepted:
                yield accepted, process
            process.communicate()


@on_a_known_system
def test_the_peer_is_the_process_that_connected() -> None:
    with connection() as (accepted, process):
        seen = present(peer_credentials(accepted))
        assert accepted_credentials(accepted) == seen

    assert (seen.uid, seen.gid) == (os.geteuid(), os.getegid())
    # FreeBSD before 13 tells no pid.
    assert seen.pid == process.pid or (seen.pid is None and sys.platform.startswith("freebsd12"))
    assert set(seen.groups or ()) <= {os.getegid(), *os.getgroups()}


@on_a_known_system
def test_groups_are_told_where_the_kernel_keeps_them() -> None:
    with connection() as (accepted, _):
        groups = present(peer_credentials(accepted)).groups

    if sys.platform.startswith(("openbsd", "netbsd")):
        assert groups is None
    elif len(os.getgroups()) < 14:
        assert {os.getegid(), *(groups or ())} >= set(os.getgroups())


@on_a_known_system
def test_of_a_socket_without_a_peer_nothing_is_known() -> None:
    with short_directory() as directory, socket.socket(socket.AF_UNIX) as sock:
        assert peer_credentials(sock) == UNKNOWN
        sock.bind(f"{directory}/s")
        sock.listen()
        assert peer_credentials(sock) == UNKNOWN
