"""The files that an event passes, from when its connection is accepted until it is committed and answered."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import observatory
from observatory.audience import Audience
from observatory.listening import Specification, listen
from observatory.redaction.redactor import Redactor
from observatory.service.loop import Loop
from observatory.service.outputs.standard_output import DescriptorOutput
from observatory.service.routes import route
from observatory.service.server import Server
from observatory.store import open_store
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere identity has another module")

MOST = 14
FAST = [
    "service/acceptor.py",
    "identity/linux.py",
    "service/quota.py",
    "service/server.py",
    "service/requests.py",
    "http/head_cache.py",
    "service/routes.py",
    "service/connection.py",
    "events.py",
    "redaction/redactor.py",
    "service/commit.py",
    "sessions/lifetimes.py",
    "store/database.py",
    "service/outputs/standard_output.py",
]
"""If it's all there when it's accepted, and begins like one before it."""
PLAIN = sorted({*FAST, "http/parser.py"} - {"http/head_cache.py"})
"""If it comes later."""
WAIT = {"service/loop.py", "service/poller.py"}
"""What waits for something to come, and calls whoever is concerned."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    loop = Loop()
    listener = listen(Specification(f"{tmp_path}/s", 0o600))
    store = open_store(f"{tmp_path}/db")
    descriptor = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    output = DescriptorOutput(loop, descriptor, print)
    server = Server(loop, listener, store, Audience(os.geteuid()), [output.publish], print, redactor=Redactor())
    server.start()
    yield server, f"{tmp_path}/s"
    server.finish()
    output.finish(0)
    os.close(descriptor)
    store.close()
    listener.sock.close()
    loop.close()


@contextmanager
def files() -> Iterator[list[str]]:
    """The files of ours whose code runs in here from the moment when a connection is accepted, in their order."""
    root = f"{Path(observatory.__file__).parent}/"
    found: list[str] = []

    def look(frame: FrameType, what: str, _: object) -> None:
        if what != "call" or not (found or frame.f_code.co_name == "_accept_one"):
            return
        for each in filter(None, (frame.f_back, frame)):
            file = each.f_code.co_filename.removeprefix(root)
            if file not in {*found, *WAIT, each.f_code.co_filename}:
                found.append(file)

    route.cache_clear()  # else what is cached is passed unseen
    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


def test_an_event_passes_these_files_from_accept_to_answer(service: tuple[Server, str]) -> None:
    server, path = service
    request = post(b'{"session_id":"s","tool_name":"Bash"}', close=True)
    fast: list[str] = []
    for _ in range(2):  # the first of its session is looked at more closely, and the first of its kind is parsed
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(request)
            with files() as fast:
                server.turn(0)
            assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        with files() as plain:
            server.turn(0)
            sock.sendall(request)
            server.turn(0)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert fast == FAST
    assert sorted(plain) == PLAIN
    assert len(fast) == len(plain) == MOST
