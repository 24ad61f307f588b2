"""Servers that are started, stopped and reached in other ways than the reference, rightly or wrongly.

`python3 -m tests.mutants.ways NAME --socket PATH --mode MODE` runs one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.mutants.reference import Connection, Server, main

if TYPE_CHECKING:
    from collections.abc import Callable

WAYS: dict[str, Callable[[list[str]], int]] = {}
SLOW = 3.0
"""Seconds that a slow server takes to start."""


def way(kind: type[Server]) -> type[Server]:
    """Register a server under its class's name."""
    name = "".join("-" + letter.lower() if letter.isupper() else letter for letter in kind.__name__).lstrip("-")
    WAYS[name] = lambda arguments: main(kind, arguments)
    return kind


class InTheBackground(Server):
    """Ends the process that was started when the socket is there, and serves as an orphan of it."""

    def listen(self) -> None:
        super().listen()
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)


way(InTheBackground)


@way
class Unhurried(Server):
    """Takes everybody in, one after the other, and not as many as a flood has in its time."""

    def make_room(self, uid: int | None) -> None:
        pass

    def take(self, peer_socket: socket.socket) -> None:
        time.sleep(0.02)
        super().take(peer_socket)


@way
class InTheBackgroundAndLeaks(InTheBackground):
    """The same, and forgets to close connections that are broken off."""

    def __init__(self, path: str, mode: int, group: str | None) -> None:
        super().__init__(path, mode, group)
        self.forgotten: list[socket.socket] = []

    def close(self, connection: Connection) -> None:
        self.forgotten.append(connection.socket.dup())
        super().close(connection)


@way
class InTheBackgroundAndStays(InTheBackground):
    """The same, and leaves its socket behind."""

    def remove_own_socket(self) -> None:
        pass


@way
class Deaf(Server):
    """Does not end when it is told to."""

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        super().listen()


@way
class Slow(Server):
    """Takes its time to start."""

    def open(self) -> None:
        time.sleep(SLOW)
        super().open()


@way
class TrustsTheUmask(Server):
    """bind, listen, chmod: nobody gets in meanwhile as long as the umask that it was started under is narrow."""

    def bind(self) -> None:
        self.listener.bind(self.path)
        super().listen()

    def listen(self) -> None:
        pass


@way
class ClosesInTheChild(Server):
    """Leaves its sockets inheritable, and closes them in each program that it starts, as tmux does."""

    def listen(self) -> None:
        super().listen()
        self.listener.set_inheritable(True)
        subprocess.Popen(["sleep", "60"], close_fds=True)


@way
class StartsNothing(Server):
    """Leaves its sockets inheritable, and starts no program."""

    def listen(self) -> None:
        super().listen()
        self.listener.set_inheritable(True)


@way
class AsksFirst(Server):
    """Asks whoever has the name who that is, and refuses to start."""

    def refuse(self, why: str) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self.path)
            asking.sendall(b"who are you?\n")
            asking.recv(64)
        super().refuse(why)


@way
class TakesAnyName(Server):
    """Removes whatever socket is there, whoever listens."""

    def clear_the_name(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


@way
class SecondDoor(Server):
    """Listens on a port as well."""

    def listen(self) -> None:
        super().listen()
        self.second = socket.create_server(("127.0.0.1", 7531))


class Datagrams(Server):
    """Takes datagrams, as a syslog daemon does."""

    def make_socket(self) -> socket.socket:
        return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def listen(self) -> None:
        pass

    def somebody_listens(self) -> bool:
        with self.make_socket() as probe:
            return probe.connect_ex(self.path) == 0

    def run(self) -> None:
        while True:
            self.listener.recv(65536)


way(Datagrams)


@way
class DatagramsForAMoment(Datagrams):
    """The same, and takes them from everybody for a moment."""

    def set_mode(self) -> None:
        os.chmod(self.path, 0o666)
        super().set_mode()


@way
class DatagramsUnread(Datagrams):
    """Reads none, so that whoever fills its queue keeps the others out."""

    def run(self) -> None:
        signal.pause()


@way
class Activated(Server):
    """Takes the socket that was made for it (sd_listen_fds(3))."""

    def make_socket(self) -> socket.socket:
        if (os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"]) != ("1", str(os.getpid())):
            raise SystemExit("no socket was handed over")
        handed_over = socket.socket(fileno=3)
        handed_over.set_inheritable(False)
        return handed_over

    def open(self) -> None:
        self.listener.setblocking(False)

    def remove_own_socket(self) -> None:
        pass


@way
class ActivatedAndTidy(Activated):
    """The same, and removes the socket in the end, though it is not its own."""

    def remove_own_socket(self) -> None:
        os.unlink(self.path)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    sys.exit(WAYS[name](rest))
