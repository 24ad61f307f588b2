"""A name service that is long in answering: who asks for ever new names makes nobody else wait."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.guards import Guard, without
from tests.hostile.stranger import keeps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

SLOW = """
import pwd, time

def getpwnam(name):
    time.sleep(5)
    raise KeyError(name)

pwd.getpwnam = getpwnam
"""
"""In place of a directory server that does not answer: Python reads it before the program."""
ASK = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(b"GET /events?user=somebody HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print("ready")
    print(sock.recv(1000).decode().splitlines())
"""
NAMES_TOO = Guard(
    "service/routes.py",
    (
        (
            '    if not re.fullmatch("[0-9]{1,10}", text, re.ASCII):\n',
            "    if not text.isdigit():\n        return __import__('pwd').getpwnam(text).pw_uid\n    if False:\n",
        ),
    ),
)
SOON = 3.0


@pytest.mark.parametrize("guarded", [True, False])
def test_who_asks_for_a_name_makes_nobody_wait(
    shared: Path, serve: Callable[..., ObservatoryServer], guarded: bool
) -> None:
    taken_out = without(shared, *([] if guarded else [NAMES_TOO]))
    (shared / "unguarded" / "sitecustomize.py").write_text(SLOW)
    server = serve("--mode", "0666", **taken_out)
    with keeps(ASK, server.path) as stranger:
        assert stranger.stdout is not None
        begun = time.monotonic()
        if guarded:
            assert server.send() == 200
            assert time.monotonic() - begun < SOON
            assert "400 Bad Request" in stranger.stdout.readline()
        else:
            with server.connect() as sock:
                sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert not select.select([sock], [], [], SOON)[0]
