"""Whoever reads what the server writes, and stops: it serves the others, and ends when it is told to."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import until
from tests.hostile.guards import Guard, without
from tests.hostile.stranger import STRANGER, keeps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

STOP, GO_ON = b"\x13", b"\x11"
"""Ctrl-S and Ctrl-Q."""
FEW = ["sh", "-c", 'ulimit -n 400 && exec "$@"', "sh"]
"""A command's beginning: with so few descriptors that a user gets less than a hundred connections."""
CROWD = """
import socket, sys, time
held = []
for _ in range(100):
    held.append(socket.socket(socket.AF_UNIX))
    held[-1].connect(sys.argv[1])
print("ready")
time.sleep(600)
"""
"""Too many connections, of which the log has a line."""
SEND = """
import socket, sys
body = b'{"x":[' + b"1, " * int(sys.argv[3]) + b"1]}"
head = b"POST /hook?event=Stop HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body)
print("ready")
socks = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[2]))]
for sock in socks:
    sock.connect(sys.argv[1])
for sock in socks:
    sock.sendall(head + body)
for sock in socks:
    sock.recv(100)
print("sent")
"""
"""So many events at once, with so many numbers in each."""
LOG_IN_THE_LOOP = Guard(
    "service/log.py", (("            self._waiting.append(line)\n", "            return self._write(line)\n"),)
)
OUTPUT_IN_THE_LOOP = Guard(
    "service/outputs/standard_output.py",
    (
        (
            "        except OSError:\n            return None\n",
            "        except OSError:\n            own = os.dup(descriptor)\n",
        ),
    ),
)
PRINTED_IN_THE_LOOP = Guard(
    "service/outputs/standard_output.py",
    (
        (
            "        write = _way_to_write(descriptor, self._closing) if render is None else None\n",
            "        write = _way_to_write(descriptor, self._closing)\n        self._render = render or _as_it_is\n",
        ),
        (
            "        data = json_lines(events)\n",
            '        data = b"".join([self._render(event.line) for event in events])\n',
        ),
    ),
)
LONG_ONES_TOO = Guard(
    "service/outputs/pretty.py", (("LONGEST_LINE: Final = 16 * 1024\n", "LONGEST_LINE: Final = 64 * 1024\n"),)
)
SOON = 3.0
"""Seconds within which a server that is not held up has answered, on a machine that may be busy."""


class Terminal:
    """A terminal of somebody's, who reads it or does not."""

    def __init__(self) -> None:
        self.hand, self.descriptor = pty.openpty()
        self.shown = b""
        self._reading: threading.Thread | None = None

    def read(self) -> None:
        """Read what comes from now on."""

        def run() -> None:
            with contextlib.suppress(OSError):
                while piece := os.read(self.hand, 1 << 16):
                    self.shown += piece

        self._reading = threading.Thread(target=run, daemon=True)
        self._reading.start()

    def press(self, key: bytes) -> None:
        os.write(self.hand, key)
        # By the time that it is empty, the terminal has taken it.
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        if key == STOP:
            until(lambda: not poll.poll(0), "the terminal is stopped")

    def hang_up(self) -> None:
        os.close(self.hand)
        self.hand = -1

    def close(self) -> None:
        os.close(self.descriptor)
        if self.hand >= 0 and self._reading is None:
            os.close(self.hand)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """A pipe that nobody reads, in which there is no room: its two ends."""
    reading, writing = os.pipe()
    own = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(own, b"-" * 4095 + b"\n")
    os.close(own)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def listens(server: ObservatoryServer) -> bool:
    try:
        server.connect().close()
    except OSError:
        return False
    return True


def answers(server: ObservatoryServer) -> bool:
    """Whether an event of root's is taken soon."""
    with server.connect() as sock:
        sock.settimeout(SOON)
        try:
            sock.sendall(b"POST /hook?event=Stop HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
            return sock.recv(100).startswith(b"HTTP/1.1 200")
        except TimeoutError:
            return False


def ends(server: ObservatoryServer, seconds: float = 15) -> bool:
    """Whether SIGTERM ends it, in the few seconds that its readers get, on a machine that may be busy."""
    server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False


def open_to_all(serve: Callable[..., ObservatoryServer], *arguments: str, **options: object) -> ObservatoryServer:
    return serve("--mode", "0666", *arguments, wait=False, **options)


def has_sent(stranger: subprocess.Popen[str]) -> bool:
    """Whether the stranger gets rid of its events soon."""
    assert stranger.stdout is not None
    return bool(select.select([stranger.stdout], [], [], SOON)[0]) and stranger.stdout.readline() == "sent\n"


@pytest.mark.parametrize("guarded", [True, False])
def test_a_log_on_a_terminal_that_is_stopped_stops_nobody(
    shared: Path, serve: Callable[..., ObservatoryServer], terminal: Terminal, guarded: bool
) -> None:
    taken_out = {} if guarded else without(shared, LOG_IN_THE_LOOP)
    terminal.read()
    server = open_to_all(serve, prefix=FEW, stderr=terminal.descriptor, **taken_out)
    server.wait_until_answering()
    until(lambda: b"listening on" in terminal.shown, "it has said that it listens")
    terminal.press(STOP)
    with keeps(CROWD, server.path):
        assert answers(server) is guarded
        assert ends(server, 15 if guarded else 5) is guarded
    if not guarded:
        return
    assert b"has too many connections" not in terminal.shown


def test_a_terminal_that_goes_on_gets_what_was_said_meanwhile(
    serve: Callable[..., ObservatoryServer], terminal: Terminal
) -> None:
    terminal.read()
    server = open_to_all(serve, prefix=FEW, stderr=terminal.descriptor)
    server.wait_until_answering()
    until(lambda: b"listening on" in terminal.shown, "it has said that it listens")
    terminal.press(STOP)
    with keeps(CROWD, server.path):
        assert answers(server)
    terminal.press(GO_ON)
    until(lambda: b"uid %d has too many connections" % STRANGER in terminal.shown, "the line is shown")
    assert ends(server)
    until(lambda: b"ending: SIGTERM" in terminal.shown, "the last line is shown")


@pytest.mark.parametrize("guarded", [True, False])
def test_a_log_in_a_pipe_that_nobody_reads_stops_nobody(
    shared: Path, serve: Callable[..., ObservatoryServer], guarded: bool
) -> None:
    taken_out = {} if guarded else without(shared, LOG_IN_THE_LOOP)
    with full_pipe() as (_, writing):
        server = open_to_all(serve, stderr=writing, **taken_out)
        until(lambda: listens(server), "it listens")
        assert answers(server) is guarded
        assert ends(server, 15 if guarded else 5) is guarded


def test_lines_that_are_left_out_of_the_log_are_counted_and_told_when_it_is_read(
    serve: Callable[..., ObservatoryServer],
) -> None:
    with full_pipe() as (reading, writing):
        server = open_to_all(serve, stderr=writing)
        server.wait_until_answering()
        sent = 2000
        for _ in range(sent):
            server.process.send_signal(signal.SIGHUP)  # of each the log has a line
            assert server.get("/health")[0] == 200
        os.set_blocking(reading, False)
        found = b""

        def told() -> bool:
            nonlocal found
            with contextlib.suppress(BlockingIOError):
                found += os.read(reading, 1 << 20)
            return b"left out of the log here" in found

        until(told, "what is left out is told")
        (line,) = [line for line in found.splitlines() if b"left out" in line]
        said = found.count(b"SIGHUP: ")
        assert 0 < said < sent
        assert 0 < int(line.split()[0]) <= sent - said  # of signals that come together there is one line
        assert ends(server)


NOT_ITS_OWN = ["setpriv", "--bounding-set", "-dac_override"]
"""Root without the capability that opens what is another user's."""


@pytest.mark.parametrize("guarded", [True, False])
def test_a_terminal_of_another_user_that_is_stopped_stops_nobody(
    shared: Path, serve: Callable[..., ObservatoryServer], terminal: Terminal, guarded: bool
) -> None:
    """As after sudo(8), su(1) or setpriv(1): it can't be opened anew, so that writing to it may wait."""
    taken_out = {}
    if not guarded:
        taken_out = without(shared, OUTPUT_IN_THE_LOOP, PRINTED_IN_THE_LOOP)
    os.fchown(terminal.descriptor, STRANGER, -1)
    os.fchmod(terminal.descriptor, 0o600)
    terminal.read()
    server = open_to_all(serve, prefix=NOT_ITS_OWN, stdout=terminal.descriptor, stderr=subprocess.DEVNULL, **taken_out)
    server.wait_until_answering()
    assert server.send({"n": 1}) == 200
    until(lambda: b'"n": 1' in terminal.shown, "an event is shown")
    terminal.press(STOP)
    with keeps(SEND, server.path, "16", "10000") as stranger:
        assert has_sent(stranger) is guarded
        assert answers(server) is guarded
    if guarded:
        terminal.press(GO_ON)
        until(lambda: terminal.shown.count(b"1, 1") > 50_000, "the events are shown after all")
        terminal.press(STOP)
        assert answers(server)
    assert ends(server, 15 if guarded else 5) is guarded


@pytest.mark.parametrize("guarded", [True, False])
def test_events_for_people_that_take_long_to_print_do_not_hold_up_another_user(
    shared: Path, serve: Callable[..., ObservatoryServer], terminal: Terminal, guarded: bool
) -> None:
    pytest.importorskip("yaml", reason="PyYAML comes with the extra [pretty]")
    taken_out = {}
    if not guarded:
        taken_out = without(shared, LONG_ONES_TOO, PRINTED_IN_THE_LOOP)
    terminal.read()
    server = open_to_all(serve, "--pretty-yaml", stdout=terminal.descriptor, stderr=subprocess.DEVNULL, **taken_out)
    server.wait_until_answering()
    worst = 0.0
    with keeps(SEND, server.path, "4", "16000") as stranger:
        over = False
        while not over:
            over = stranger.poll() is not None  # one is sent after its end at the latest, which may come at once
            begun = time.monotonic()
            assert server.send() == 200
            worst = max(worst, time.monotonic() - begun)
        assert has_sent(stranger)
    print(f"worst: {worst:.3f} s")
    assert (worst < 1.0) is guarded
    assert len(server.stored()) > 4
    assert ends(server)
