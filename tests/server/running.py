"""A real server and how tests speak with it: by bytes, or by the standard library's client."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PATIENCE = 20.0
"""Seconds after which a test gives up, on a machine that may be busy."""


class Connection(http.client.HTTPConnection):
    """The standard library's client, over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = connected(self._path)


def connected(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def post(body: bytes = b"{}", event: str = "Stop", *, close: bool = False) -> bytes:
    """The bytes of a hook's request."""
    end = b"Connection: close\r\n" if close else b""
    return b"POST /hook?event=%b HTTP/1.1\r\nHost: localhost\r\n%bContent-Length: %d\r\n\r\n%b" % (
        event.encode(),
        end,
        len(body),
        body,
    )


def read_answer(sock: socket.socket, method: str = "POST") -> tuple[int, bytes]:
    """One response: its status and its body."""
    with http.client.HTTPResponse(sock, method=method) as response:
        response.begin()
        return response.status, response.read()


def read_to_end(sock: socket.socket) -> bytes:
    found = b""
    try:
        while piece := sock.recv(1 << 20):
            found += piece
    except ConnectionResetError:
        pass
    return found


@dataclass
class Running:
    """One `observatory serve`."""

    process: subprocess.Popen[bytes]
    path: str
    database: str
    output: Path
    log: list[str] = field(default_factory=list)
    _listening: threading.Event = field(default_factory=threading.Event)
    _reader: threading.Thread | None = None

    def begin(self) -> None:
        def read() -> None:
            assert self.process.stderr is not None
            for line in self.process.stderr:
                self.log.append(line.decode())
                if line.startswith(b"listening on "):
                    self._listening.set()
            self._listening.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        assert self._listening.wait(PATIENCE)
        assert any(line.startswith("listening on ") for line in self.log), self.log_text()

    def log_text(self) -> str:
        return "".join(self.log)

    def connect(self) -> socket.socket:
        return connected(self.path)

    def send(self, body: bytes | Mapping[str, object] = b"{}", event: str = "Stop") -> int:
        """Send one event as a hook does; the status of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.connect() as sock:
            sock.sendall(post(data, event, close=True))
            return read_answer(sock)[0]

    def get(self, target: str) -> tuple[int, bytes]:
        with self.connect() as sock:
            sock.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target.encode())
            return read_answer(sock, "GET")

    def events(self, query: str = "") -> list[dict[str, Any]]:
        """What the server says that it has."""
        status, body = self.get(f"/events{query}")
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]

    def stored(self) -> list[dict[str, Any]]:
        """What is in the database, whoever is running or not."""
        return stored(self.database)

    def printed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.read_bytes().splitlines()]

    def wait_for(self, line: str) -> None:
        """Until the log has a line with this in it."""
        until = threading.Event()
        for _ in range(int(PATIENCE * 50)):
            if line in self.log_text():
                return
            until.wait(0.02)
        raise AssertionError(f"the log never said {line!r}:\n{self.log_text()}")

    def kill(self) -> None:
        self.process.kill()
        self._ended()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self._ended()

    def _ended(self) -> int:
        status = self.process.wait(PATIENCE)
        assert self._reader is not None
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status


def stored(database: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [json.loads(line) for (line,) in connection.execute("SELECT line FROM event ORDER BY id")]
    finally:
        connection.close()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "observatory", *arguments]


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own: no state directory, no socket, no service manager."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(directory), "PYTHONDONTWRITEBYTECODE": "1", **more}


def start(
    directory: Path,
    *arguments: str,
    name: str = "s",
    prefix: Sequence[str] = (),
    wait: bool = True,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> Running:
    """Start one, its socket, database and output in `directory`, and wait until it listens."""
    path, database, output = f"{directory}/{name}", f"{directory}/{name}.db", directory / f"{name}.out"
    with output.open("ab") as file:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*prefix, *command("serve", "--socket", path, "--database", database, *arguments)],
            env=environment(directory, **(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=options.pop("stdout", file),
            stderr=subprocess.PIPE,
            **options,
        )
    running = Running(process, path, database, output)
    if wait:
        running.begin()
    return running
