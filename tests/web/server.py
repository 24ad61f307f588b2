"""A real `observatory serve` for one test, and a way to tell it things."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


IDLE = 3.0
"""Seconds for which a connection is used again."""


class Hooks(http.client.HTTPConnection):
    """A client that sends events over one connection."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path
        self.used = 0.0

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))

    def say(self, event: str, **fields: Any) -> None:
        if time.monotonic() - self.used > IDLE:
            self.close()  # the server closes a connection on which nothing is said for a while
        self.used = time.monotonic()
        self.request("POST", f"/hook?event={event}", json.dumps(fields))
        response = self.getresponse()
        response.read()
        assert response.status == 200

    def say_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Send many without waiting for each answer (HTTP/1.1 pipelining), a few hundred at a time."""
        self.close()
        self.connect()
        self.used = time.monotonic()
        batch: list[bytes] = []
        for event, fields in events:
            body = json.dumps(fields).encode()
            batch.append(
                b"POST /hook?event=%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
                % (event.encode(), len(body), body)
            )
            if len(batch) == 200:
                self._exchange(batch)
                batch = []
        self._exchange(batch)

    def _exchange(self, batch: list[bytes]) -> None:
        if not batch:
            return
        self.sock.sendall(b"".join(batch))
        answers, left = b"", len(batch)
        while left:
            data = self.sock.recv(1 << 16)
            assert data, "the server ended the conversation"
            answers += data
            found = answers.count(b"\r\n\r\n")
            others = [answer for answer in answers.split(b"\r\n\r\n") if not b"HTTP/1.1 200 ".startswith(answer[:13])]
            assert not others, others[:2]
            left -= found
            answers = answers.rpartition(b"\r\n\r\n")[2] if found else answers


class Server:
    """`observatory serve` at a path of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.socket = folder / "s"
        self.options = ("--socket", str(self.socket), "--database", str(folder / "db"), *options)
        self.process: subprocess.Popen[str] | None = None
        self._hooks: list[Hooks] = []

    def start(self) -> None:
        self.process = observatory("serve", *self.options, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "listening on" in line:
                return
        raise AssertionError("observatory serve did not start")

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        for hooks in self._hooks:
            hooks.close()
        if self.process is not None:
            self.process.send_signal(number)
            self.process.communicate()
            self.process = None

    def hooks(self) -> Hooks:
        """A client of it; closed when the server ends."""
        self._hooks.append(Hooks(self.socket))
        return self._hooks[-1]


def observatory(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "observatory", *arguments],
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        **options,
    )
