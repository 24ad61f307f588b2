"""A crowd of mallory's at the page's port: alice gets in all the same, and the page ends when it's told to."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.hostile.machine import RUNTIME, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Process
    from tests.hostile.machine import Person

pytest.importorskip("uvicorn", reason="the page comes with the extra [web]")

SOCKET = f"{RUNTIME}/o.sock"
MANY = 1_100
"""More connections than the descriptors that a process has usually (the soft limit is 1,024)."""
PATIENCE = 5.0
"""Seconds that alice waits for the page, on a machine that may be busy."""

CROWD = """
import resource, select, socket, sys, threading, time
kind, port, many = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
HEAD = b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:%d\\r\\n" % port

def connected():
    sock = socket.socket()
    sock.settimeout(10)
    sock.connect(("127.0.0.1", port))
    return sock

def forever(work):
    while True:
        try:
            work()
        except OSError:
            pass

def one_request():
    with connected() as sock:
        sock.sendall(HEAD + b"Cookie: observatory-%d=guess\\r\\n\\r\\n" % port)
        while sock.recv(65536):
            pass

def one_long_head():
    with connected() as sock:
        sock.sendall(HEAD)
        for number in range(10_000):
            sock.sendall(b"X-%d: " % number + b"x" * 8000 + b"\\r\\n")

def one_that_goes():
    connected().close()

if kind in ("idle", "half a head", "a byte now and then", "garbage"):
    socks = [connected() for _ in range(many)]
    for sock in socks:
        try:
            sock.sendall({"idle": b"", "garbage": b"\\x16\\x03\\x01\\0\\r\\n"}.get(kind, HEAD))
        except OSError:
            pass
    print("ready", flush=True)
    while True:
        for sock in socks:
            try:
                if kind == "a byte now and then":
                    sock.send(b"x")
            except OSError:
                pass
        time.sleep(0.2)
work = {"requests": one_request, "heads without end": one_long_head, "coming and going": one_that_goes}[kind]
for _ in range(8):
    threading.Thread(target=forever, args=(work,), daemon=True).start()
time.sleep(1)
print("ready", flush=True)
time.sleep(600)
"""
CROWDS = [
    *("idle", "half a head", "a byte now and then", "garbage"),
    *("requests", "heads without end", "coming and going"),
]

UNGUARDED = """
import sys
from observatory.web import port, strangers
strangers.Strangers.come = lambda self, connection: None
port.AT_ONCE = 2048
from observatory.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def people() -> Iterator[dict[str, Person]]:
    with opened() as everybody:
        yield everybody


@pytest.fixture(scope="module")
def alice(people: dict[str, Person]) -> Iterator[Person]:
    with people["alice"].serving("--socket", SOCKET):
        yield people["alice"]


@dataclass
class Web:
    """A running `observatory web` of alice's."""

    process: Process
    link: str = ""

    def read_link(self) -> None:
        """Take up the next link that it prints."""
        while "http://" not in (line := self.process.read_line(timeout=30)):
            pass
        self.link = line.strip()

    @property
    def port(self) -> int:
        return int(re.findall(r":(\d+)/", self.link)[0])

    def end(self) -> tuple[int, str, float]:
        """End it: its status, what it said, and how long that took."""
        started = time.monotonic()
        self.process.signal(signal.SIGTERM)
        done = self.process.wait(30)
        return done.status, done.stderr, time.monotonic() - started


@contextlib.contextmanager
def web(alice: Person, *command: str) -> Iterator[Web]:
    """The page, in a process that may have 1,024 descriptors."""
    words = ("sh", "-c", 'ulimit -n 1024; exec python3 "$@"', "sh", *command, "web", "--socket", SOCKET)
    process = alice.start(*words)
    try:
        running = Web(process)
        running.read_link()
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal(signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def crowd(people: dict[str, Person], kind: str, port: int) -> Iterator[None]:
    process = people["mallory"].start("python3", "-c", CROWD, kind, str(port), str(MANY))
    try:
        assert process.read_line(timeout=60) == "ready"
        yield
    finally:
        process.signal(signal.SIGKILL)
        process.wait()


def ask(alice: Person, *arguments: str) -> str:
    """What curl gets, with the status in its last line; what it says of its failure instead."""
    said = alice.run("curl", "-sS", "-i", "--max-time", "20", "-w", "\n%{http_code}", *arguments)
    return said.stdout if said.status == 0 else said.stderr


def visit(alice: Person, shown: Web) -> None:
    """Use the page as a browser does: the link, its files, what there was, what comes."""
    entered = ask(alice, shown.link)
    cookie = re.search(r"(?i)set-cookie: (\S+?);", entered)
    key = re.search(r"#key=([\w-]+)", entered)
    assert cookie, entered
    assert key
    at = f"http://127.0.0.1:{shown.port}"
    for path in ("/", "/page/main.js", "/page/base.css", f"/api/rows?before=9&key={key[1]}"):
        assert ask(alice, "-b", cookie[1], at + path).endswith("\n200"), path
    text = f"news-{time.monotonic_ns()}"
    stream = alice.start("curl", "-sN", "-b", cookie[1], f"{at}/api/stream?key={key[1]}")
    try:
        hook = json.dumps({"session_id": text})
        assert stream.read_line(timeout=PATIENCE) == "event: hello"
        assert ask(alice, "--unix-socket", SOCKET, "-d", hook, "http://localhost/hook?event=Stop").endswith("\n200")
        until = time.monotonic() + PATIENCE
        while text not in stream.read_line(timeout=PATIENCE):
            assert time.monotonic() < until
    finally:
        stream.signal(signal.SIGKILL)
        stream.wait()


@pytest.mark.parametrize("kind", CROWDS)
def test_alice_gets_in_past_a_crowd_and_it_ends_in_order(people: dict[str, Person], alice: Person, kind: str) -> None:
    with web(alice, "-m", "observatory") as shown, crowd(people, kind, shown.port):
        for _ in range(2):
            started = time.monotonic()
            visit(alice, shown)
            took = time.monotonic() - started
            assert took < 8 * PATIENCE
            shown.read_link()
        status, said, seconds = shown.end()
    assert (status, said) == (0, "")
    assert seconds < PATIENCE


def test_a_crowd_bites_where_nobody_is_turned_out(people: dict[str, Person], alice: Person) -> None:
    with web(alice, "-c", UNGUARDED) as shown, crowd(people, "idle", shown.port):
        assert "timed out" in ask(alice, shown.link, "--max-time", "5")
        assert "Traceback" in shown.end()[1]


def test_who_is_known_stays_and_who_is_not_has_to_go(people: dict[str, Person], alice: Person) -> None:
    with web(alice, "-m", "observatory") as shown:
        entered = ask(alice, shown.link)
        cookie = re.search(r"(?i)set-cookie: (\S+?);", entered)
        key = re.search(r"#key=([\w-]+)", entered)
        assert cookie
        assert key
        at = f"http://127.0.0.1:{shown.port}/api/stream?key={key[1]}"
        stream = alice.start("curl", "-sN", "-b", cookie[1], at)
        try:
            assert stream.read_line(timeout=PATIENCE) == "event: hello"
            with crowd(people, "idle", shown.port):
                started = time.monotonic()
                while stream.read_line(timeout=15) != ": still here":
                    assert time.monotonic() - started < 15
        finally:
            stream.signal(signal.SIGKILL)
            stream.wait()
