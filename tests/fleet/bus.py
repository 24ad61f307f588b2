"""One NATS server with an operator, over TLS, and who may do what there."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.fleet.command import run
from tests.fleet.keys import Operator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from tests.helpers.observatory_server import ObservatoryServer

HOST_MAY = (
    ["observatory.{host}.>", "$JS.API.DIRECT.GET.OBSERVATORY.observatory.{host}.>"],
    ["_INBOX.{host}.>"],
)
READER_MAY = (
    [
        "$JS.API.STREAM.INFO.OBSERVATORY",
        "$JS.API.CONSUMER.CREATE.OBSERVATORY.>",
        "$JS.API.CONSUMER.CREATE.OBSERVATORY",
        "$JS.API.CONSUMER.DELETE.OBSERVATORY.>",
        "$JS.FC.OBSERVATORY.>",
    ],
    ["_INBOX.>"],
)


@dataclass
class Bus:
    """One NATS server with an operator, over TLS."""

    folder: Path
    program: str
    operator: Operator
    port: int = -1
    """The one that it chose when it was first started, and keeps."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"tls://localhost:{self.port}"

    @property
    def ca(self) -> str:
        return str(self.folder / "cert.pem")

    def start(self) -> None:
        config = self.folder / "nats.conf"
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\nmax_payload: 65536\n"
            f"tls {{ cert_file: {self.ca}, key_file: {self.folder / 'key.pem'} }}\n"
            f"jetstream {{ store_dir: {self.folder / 'js'} }}\n{self.operator.config()}"
        )
        self.process, self.port = started([self.program, "-c", str(config)])

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def access(self, credentials: str) -> tuple[str, ...]:
        return ("--creds", credentials, "--ca", self.ca)

    def host(self, name: str, url: str = "") -> tuple[str, ...]:
        """How a host of that name gets in."""
        publish, subscribe = ([part.format(host=name) for part in parts] for parts in HOST_MAY)
        return (
            "--to",
            url or self.url,
            "--host",
            name,
            *self.access(self.operator.credentials(name, publish, subscribe)),
        )

    def reader(self, url: str = "") -> tuple[str, ...]:
        return ("--from", url or self.url, *self.access(self.operator.credentials("reader", *READER_MAY)))

    def admin(self) -> str:
        return self.operator.credentials("admin", [">"], [">"])


def make_certificate(folder: Path, openssl: str) -> None:
    """A certificate for localhost that signs itself: cert.pem and key.pem."""
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            str(folder / "key.pem"),
            "-out",
            str(folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )


def started(words: Sequence[str]) -> tuple[subprocess.Popen[bytes], int]:
    """A NATS server that listens, and on which port: it says both."""
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = b""
    for line in process.stderr:
        said += line
        if b"Server is ready" in line:
            break
    port = re.search(rb"Listening for client connections on \S+:(\d+)", said)
    assert port, f"nats-server did not start: {said.decode()}"
    threading.Thread(target=_read_to_its_end, args=(process.stderr,), daemon=True).start()
    return process, int(port[1])


def _read_to_its_end(log: IO[bytes]) -> None:
    """So that a server can always write what it has to say."""
    with log:
        for _ in log:
            pass


@contextlib.contextmanager
def plain_server(nats_server: str, store: Path) -> Iterator[int]:
    """One that takes anybody's clients, without TLS and without a stream: its port."""
    process, port = started([nats_server, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", str(store)])
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(folder: Path, nats_server: str, openssl: str) -> Iterator[Bus]:
    """Such a server, with its stream."""
    make_certificate(folder, openssl)
    made = Bus(folder, nats_server, Operator(folder))
    made.start()
    try:
        done = run("forward", "--to", made.url, *made.access(made.admin()), "--make-stream", "1", state=folder)
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made.end()


def at(server: ObservatoryServer) -> tuple[str, str]:
    return ("--socket", server.path)


def events(bus: Bus, *options: str) -> list[dict[str, Any]]:
    """What a permitted reader gets."""
    done = run("events", *bus.reader(), "--json", *options, state=bus.folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def forwarded(*arguments: str, state: Path) -> str:
    """Forward what there is; what was said."""
    done = run("forward", *arguments, "--once", state=state)
    assert done.returncode == 0, done.stderr
    return done.stderr
