"""A hook's command, run by a shell as Claude Code does: it hands the event on, prints nothing, and always ends well."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE
from observatory.hooks.command import Recipient, hook_command
from tests.helpers.directories import short_directory
from tests.helpers.fake_server import FakeServer, hang, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("curl")

EVENT = b'{"hook_event_name": "Stop",\n "text": "\xc3\xa9 \\u0000"}\n'
REQUEST = b"POST /hook?event=Stop HTTP/1.1\r\n"
LARGE = b'{"text": "' + b"x" * 1_500_000 + b'"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's socket")


def answer(server: FakeServer, connection: socket.socket) -> None:
    with connection.makefile("rb") as stream:
        request = stream.readline()
        length = 0
        while (line := stream.readline().strip().lower()) != b"":
            assert not line.startswith(b"expect"), "the client would wait for a 100 Continue"
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        server.received.append(request + stream.read(length))
        connection.sendall(OK)


def drip(server: FakeServer, connection: socket.socket) -> None:
    connection.recv(65536)
    gone = threading.Event()
    for byte in OK * 100:
        connection.send(bytes([byte]))
        gone.wait(0.05)


def insult(server: FakeServer, connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 500 No\r\nContent-Length: 20\r\n\r\n{"decision":"block"}')


def slam(server: FakeServer, connection: socket.socket) -> None:
    connection.recv(1)


@pytest.fixture
def path() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "o.sock"


def fire(command: str, event: bytes = EVENT, shell: str = "sh", environment: dict[str, str] | None = None) -> float:
    """Run a hook's command, give it the event, and hold it to what every hook must keep; how long it took."""
    started = time.monotonic()
    process = subprocess.Popen(
        [shell, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]} | (environment or {}),
    )
    assert process.stdin is not None
    with process:
        # Written here, not by communicate(), which hides that nobody read: the client reports that as a failure.
        process.stdin.write(event)
        process.stdin.close()
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.read(), process.stderr.read()
        status = process.wait()
    assert (status, said) == (0, (b"", b""))
    return time.monotonic() - started


def fire_within(seconds: float, command: str, event: bytes) -> float:
    """Run it until it takes less than that, three times at most: another program may have the processor."""
    took = [fire(command, event)]
    while took[-1] >= seconds:
        if len(took) == 3:
            pytest.fail(f"took {min(took):.2f} s at the best of three attempts, and not less than {seconds} s")
        took.append(fire(command, event))
    return took[-1]


def to(path: Path, *uids: int) -> str:
    return hook_command("Stop", Recipient(str(path), uids))


@pytest.fixture(params=["sh", "dash", "bash", "zsh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path, need: Callable[[str, str], str]) -> str:
    name = str(request.param)
    found = need(name, name)
    if name != "busybox":
        return found
    (tmp_path / "ash").symlink_to(found)
    return str(tmp_path / "ash")


def test_every_shell_hands_the_event_on_byte_for_byte(path: Path, shell: str) -> None:
    with serving(path, answer) as server:
        fire(to(path), shell=shell)
    assert server.received == [REQUEST + EVENT]


def test_a_large_event_arrives_whole(path: Path) -> None:
    with serving(path, answer) as server:
        fire(to(path), LARGE)
    assert server.received == [REQUEST + LARGE]


@pytest.mark.parametrize("name", ["with space", "it's", '"quoted"', "$HOME", "semi;colon", "back\\slash", "\u00e9"])
def test_no_path_is_taken_for_shell_words(path: Path, name: str) -> None:
    named = path.with_name(name)
    with serving(named, answer) as server:
        fire(to(named))
    assert len(server.received) == 1


def test_without_a_path_the_environment_says_where(path: Path) -> None:
    command = hook_command("Stop", Recipient(None))
    assert f'"${{{SOCKET_VARIABLE}:-{DEFAULT_SOCKET}}}"' in command
    with serving(path, answer) as server:
        fire(command, environment={SOCKET_VARIABLE: str(path)})
    assert len(server.received) == 1


def stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "make",
    [lambda named: None, stale, lambda named: named.write_text("x"), lambda named: named.mkdir()],
    ids=["nothing", "a stale socket", "a file", "a directory"],
)
def test_a_server_that_is_down_costs_next_to_nothing(path: Path, make: Callable[[Path], None], event: bytes) -> None:
    make(path)
    fire_within(0.5, to(path), event)


@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("behave", [hang, drip], ids=["accepts and never answers", "answers a byte at a time"])
def test_a_server_that_hangs_costs_less_than_a_second(
    path: Path, behave: Callable[[FakeServer, socket.socket], None], event: bytes
) -> None:
    with serving(path, behave) as server:
        took = fire_within(1.0, to(path), event)
    assert server.connections >= 1
    assert took > 0.5, "this server hung less than this test means it to"


def test_a_server_that_never_accepts_costs_less_than_a_second(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen(8)
        fire_within(1.0, to(path), EVENT)


@pytest.mark.parametrize("behave", [insult, slam], ids=["an error with a decision in it", "an early end"])
def test_whatever_a_server_answers_is_not_passed_on(
    path: Path, behave: Callable[[FakeServer, socket.socket], None]
) -> None:
    with serving(path, behave) as server:
        fire(to(path), LARGE)
    assert server.connections == 1


@root_only
@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
def test_another_users_server_gets_nothing(path: Path, event: bytes) -> None:
    path.parent.chmod(0o777)
    with serving(path, answer, owner=4001) as server:
        path.chmod(0o777)
        fire_within(0.5, to(path), event)
        assert server.connections == 0
        fire(to(path, 4001))
        assert server.connections == 1, "the user who was named at the installation is trusted"


def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with serving(path, answer) as server:
        fire(to(link))
        assert server.connections == 0
        fire(to(path))
        assert server.connections == 1


def test_a_machine_without_curl_fails_no_session(path: Path, tmp_path: Path) -> None:
    for program in ("find", "id", "cat"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    with serving(path, answer) as server:
        fire(to(path), LARGE, shell=shutil.which("sh") or "sh", environment={"PATH": str(tmp_path)})
    assert server.connections == 0


def test_neither_a_curlrc_nor_a_proxy_has_a_say(path: Path, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(f'output = "{tmp_path}/stolen"\nproxy = "http://127.0.0.1:9"\nfail-early\n')
    with serving(path, answer) as server:
        fire(
            to(path),
            environment={
                "HOME": str(tmp_path),
                "http_proxy": "http://127.0.0.1:9",
                "ALL_PROXY": "socks5://127.0.0.1:9",
            },
        )
    assert len(server.received) == 1
    assert not (tmp_path / "stolen").exists()


def test_these_checks_see_a_command_that_talks_fails_or_reads_nothing() -> None:
    for command in ("cat; echo decision", "cat >/dev/null; echo no >&2", "cat >/dev/null; exit 2"):
        with pytest.raises(AssertionError):
            fire(command)
    with pytest.raises(BrokenPipeError):
        fire("exit 0", LARGE)
