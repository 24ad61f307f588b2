"""A real `observatory serve`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.deadline import PATIENCE, until
from tests.helpers.directories import short_directory
from tests.helpers.forked_command import FORKS, ForkedCommand
from tests.helpers.hook_client import HookClient
from tests.helpers.observatory_command import command, environment, with_deadline
from tests.helpers.unix_http import connected, post, read_answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence


class ObservatoryServer:
    """A server whose socket, database and output are files of one directory; it can be ended and started again."""

    process: subprocess.Popen[bytes] | ForkedCommand

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        name: str = "s",
        prefix: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        pass_fds: Sequence[int] = (),
        deadline: float | None = None,
    ) -> None:
        """`deadline` is the seconds that a peer has, where it is not to be the real one."""
        self.path = f"{directory}/{name}"
        self.database = f"{directory}/{name}.db"
        self.output = directory / f"{name}.out"
        self.log: list[str] = []
        self._arguments = ("serve", "--socket", self.path, "--database", self.database, *arguments)
        self._prefix = tuple(prefix)
        self._deadline = deadline
        self._plain = not (prefix or variables) and deadline is None
        self._environment = environment(directory, **(variables or {}))
        self._stdout = stdout
        self._stderr = stderr
        self._reader: threading.Thread | None = None
        self._pass_fds = tuple(pass_fds)
        self._clients: list[HookClient] = []

    def start(self) -> None:
        """Start it and wait until it listens; one that does not is ended."""
        self.launch()
        try:
            self.wait_until_listening()
        except BaseException:
            self.kill()
            raise

    def launch(self) -> None:
        """Start it; as anyone does, if it is to differ from any other by more than its arguments."""
        with self.output.open("ab") as file:
            stdout = file if self._stdout is None else self._stdout
            stderr = subprocess.PIPE if self._stderr is None else self._stderr
            if self._plain and FORKS:
                self.process = ForkedCommand(
                    self._arguments, self._environment, stdout=stdout, stderr=stderr, pass_fds=self._pass_fds
                )
                return
            words = command(*self._arguments)
            if self._deadline is not None:
                words = with_deadline(self._deadline, *self._arguments)
            self.process = subprocess.Popen(
                [*self._prefix, *words],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=self._pass_fds,
            )

    def wait_until_listening(self) -> None:
        """Read what it logs, from now on and to its end."""
        self.log.clear()
        listening = threading.Event()

        def read() -> None:
            assert self.process.stderr is not None
            for line in self.process.stderr:
                self.log.append(line.decode())
                if line.startswith(b"listening on "):
                    listening.set()
            listening.set()

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        assert listening.wait(PATIENCE)
        assert any(line.startswith("listening on ") for line in self.log), self.log_text()

    def wait_until_answering(self) -> None:
        """Where what it logs is not read here."""

        def answers() -> bool:
            try:
                return self.get("/health")[0] == 200
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.process.poll() is None
                return False

        until(answers, "it answers")

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

    def hooks(self) -> HookClient:
        """A client that sends many events; closed when the server is ended."""
        self._clients.append(HookClient(self.path))
        return self._clients[-1]

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
        until(lambda: line in self.log_text(), lambda: f"{line!r} is logged:\n{self.log_text()}")

    def stop(self) -> None:
        """Let it do nothing, from now on until it is sent SIGCONT."""
        self.process.send_signal(signal.SIGSTOP)
        if isinstance(self.process, ForkedCommand):
            self.process.wait_until_stopped()
        else:
            os.waitpid(self.process.pid, os.WUNTRACED)

    def restart(self) -> None:
        self.end()
        self.start()

    def delete_database(self) -> None:
        """As if nothing had ever been stored. Only while it does not run."""
        for file in Path(self.database).parent.glob(f"{Path(self.database).name}*"):
            file.unlink()

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, if it has not, and wait; its exit status."""
        while self._clients:
            self._clients.pop().close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        if self._reader is not None:
            self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status


def start(directory: Path, *arguments: str, **options: Any) -> ObservatoryServer:
    """A server that listens; the options are those of the class."""
    server = ObservatoryServer(directory, *arguments, **options)
    server.start()
    return server


@contextlib.contextmanager
def serving(*arguments: str, **options: Any) -> Iterator[ObservatoryServer]:
    """A server that listens in a directory of its own, for a while."""
    with short_directory() as directory:
        server = start(directory, *arguments, **options)
        try:
            yield server
        finally:
            server.end()


def stored(database: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return [json.loads(line) for (line,) in connection.execute("SELECT line FROM event ORDER BY id")]
    finally:
        connection.close()
