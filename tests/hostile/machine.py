"""A machine that alice works on and mallory too, with the observatory installed: a place of the namespace engine."""

from __future__ import annotations

import contextlib
import json
import signal
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.namespace import NamespaceEngine
from harness.world import Node, User, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.engines.protocol import Completed, Place, Process

ROOT = Path(__file__).parents[2]
RUNTIME = "/run/user/1500"
ROOTS = "/run/roots"
"""Where root alone makes names."""
WORLD = World(
    name="alice-and-mallory",
    users=(User("root", 0, 0), User("alice", 1500, 1500), User("mallory", 1700, 1700)),
    nodes=(
        Node("/tmp", "directory", "root", "root", 0o1777),
        Node("/home/alice", "directory", "alice", "alice", 0o755),
        Node("/home/mallory", "directory", "mallory", "mallory", 0o755),
        Node(RUNTIME, "directory", "alice", "alice", 0o700),
        Node(ROOTS, "directory", "root", "root", 0o755),
        Node("/srv", "directory", "root", "root", 0o777),
    ),
)
"""Each may make what they like in /srv, and take away what others have made there."""

PEER = """
import contextlib, json, os, shutil, socket, sys, threading

received, listeners = [], []

def serve(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            head, _, body = connection.recv(65536).partition(b"\\r\\n\\r\\n")
            received.append((head.partition(b"\\r\\n")[0] + b" " + body).decode())
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

def bind(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen(64)
    listeners.append((path, listener))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()

def end():
    while listeners:
        path, listener = listeners.pop()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()

def mkdir(path, mode="755", group="-1"):
    os.mkdir(path)
    os.chown(path, -1, int(group))
    os.chmod(path, int(mode, 8))

def clear(*directories):
    for directory in directories:
        for name in os.listdir(directory):
            remove(f"{directory}/{name}")

def remove(path):
    shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

does = {
    "bind": bind, "end": end, "mkdir": mkdir, "link": os.symlink, "move": os.rename, "clear": clear, "remove": remove,
    "write": lambda path: open(path, "x").close(),
}
print("ready", flush=True)
for line in sys.stdin:
    word, *arguments = line.split()
    if word == "received":
        print(json.dumps(received), flush=True)
        received.clear()
        continue
    try:
        does[word](*arguments)
    except OSError as error:
        print(error.strerror, flush=True)
    else:
        print("ok", flush=True)
"""
"""What somebody does on the machine, one order a line; a socket that it binds gets all that is sent there."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the machine."""

    place: Place
    name: str

    @property
    def home(self) -> str:
        return "/root" if self.name == "root" else f"/home/{self.name}"

    def run(self, *command: str, input: str = "", directory: str | None = None, **more: str) -> Completed:
        """Run a command to its end."""
        return self.place.run(
            command,
            WORLD.principal(self.name),
            input=input,
            environment=self.environment(more),
            directory=directory or self.home,
        )

    def start(self, *command: str, **more: str) -> Process:
        return self.place.start(
            command, WORLD.principal(self.name), environment=self.environment(more), directory=self.home
        )

    def observatory(self, *arguments: str, directory: str | None = None, **more: str) -> Completed:
        return self.run("python3", "-m", "observatory", *arguments, directory=directory, **more)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": "/opt/python/bin:/usr/bin:/bin",
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "PYTHONPATH": "/opt/source:/opt/libraries",
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }

    @contextlib.contextmanager
    def serving(self, *options: str, **more: str) -> Iterator[list[str]]:
        """Run `observatory serve`: what its log has said so far, which at its end has all that it said."""
        process = self.start("python3", "-m", "observatory", "serve", *options, **more)
        log: list[str] = []
        try:
            # The last line of a start; what comes before it may warn.
            while not log or not log[-1].startswith("listening on"):
                log.append(process.read_line("stderr"))
            with contextlib.suppress(TimeoutError):
                log.append(process.read_line("stderr", timeout=0.3))
            yield log
        finally:
            process.signal(signal.SIGTERM)
            log += process.wait().stderr.splitlines()

    @contextlib.contextmanager
    def peer(self) -> Iterator[Peer]:
        process = self.start("python3", "-c", PEER)
        try:
            assert process.read_line() == "ready"
            yield Peer(process)
        finally:
            process.signal(signal.SIGKILL)
            process.wait()


@dataclass(frozen=True, slots=True)
class Peer:
    """A process of somebody's that does what it's told."""

    process: Process

    def tries(self, *order: str) -> str:
        """`ok`, or what the kernel says."""
        self.process.send(" ".join(order) + "\n")
        return self.process.read_line()

    def does(self, *order: str) -> None:
        assert self.tries(*order) == "ok", order

    def received(self) -> list[str]:
        """What has come to its sockets since it was asked last."""
        self.process.send("received\n")
        said: list[str] = json.loads(self.process.read_line())
        return said


def available() -> str | None:
    """Why there is no such machine here, if so."""
    return NamespaceEngine().available()


@contextlib.contextmanager
def opened(*mounts: str) -> Iterator[dict[str, Person]]:
    """The machine's users, by name."""
    installed = (f"{ROOT / 'observatory'}:/opt/source/observatory", f"{sysconfig.get_path('purelib')}:/opt/libraries")
    if (why := available()) is not None:
        pytest.skip(why)
    with NamespaceEngine().open(mounts=(*installed, *mounts)) as place:
        place.build(WORLD)
        yield {user.name: Person(place, user.name) for user in WORLD.users}


def fields(line: str) -> dict[str, Any]:
    """An event's fields."""
    event: dict[str, Any] = json.loads(line)
    return event
