"""A hook's command, run by a shell as Claude Code does: it hands the event on, prints nothing, and always ends well."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE
from observatory.hooks.command import Recipient, hook_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("curl")

EVENT = b'{"hook_event_name": "Stop",\n "text": "\xc3\xa9 \\u0000"}\n'
LARGE = b'{"text": "' + b"x" * 1_500_000 + b'"}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's socket")


class Server:
    """A server on a socket that does as it is told with each connection, and remembers what it was sent."""

    def __init__(self, path: Path, behave: Callable[[Server, socket.socket], None], owner: int) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.connections = 0
        self._behave = behave
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        os.seteuid(owner)
        try:
            self._socket.bind(str(path))
        finally:
            os.seteuid(os.getuid())
        self._socket.listen(8)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    self._behave(self, connection)

    def until_closed(self, connection: socket.socket) -> None:
        """Wait until the peer has gone."""
        while connection.recv(65536):
            pass

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def answer(server: Server, connection: socket.socket) -> None:
    with connection.makefile("rb") as stream:
        request = stream.readline().decode()
        length = 0
        while (line := stream.readline().strip().lower()) != b"":
            assert not line.startswith(b"expect"), "the client would wait for a 100 Continue"
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        server.received.append((request.strip(), stream.read(length)))
        connection.sendall(OK)


def hang(server: Server, connection: socket.socket) -> None:
    server.until_closed(connection)


def drip(server: Server, connection: socket.socket) -> None:
    connection.recv(65536)
    gone = threading.Event()
    for byte in OK * 100:
        connection.send(bytes([byte]))
        gone.wait(0.05)


def insult(server: Server, connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 500 No\r\nContent-Length: 20\r\n\r\n{"decision":"block"}')


def slam(server: Server, connection: socket.socket) -> None:
    connection.recv(1)


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="o-") as name:
        yield Path(name) / "o.sock"


@contextmanager
def serving(
    path: Path, behave: Callable[[Server, socket.socket], None] = answer, owner: int | None = None
) -> Iterator[Server]:
    server = Server(path, behave, os.geteuid() if owner is None else owner)
    try:
        yield server
    finally:
        server.close()


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
    for _ in range(3):
        took = fire(command, event)
        if took < seconds:
            return took
    pytest.fail(f"took {took:.2f} s at the third attempt, and not less than {seconds} s at any")


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


def test_every_shell_hands_the_event_on_byte_for_byte(place: Path, shell: str) -> None:
    with serving(place) as server:
        fire(to(place), shell=shell)
    assert server.received == [("POST /hook?event=Stop HTTP/1.1", EVENT)]


def test_a_large_event_arrives_whole(place: Path) -> None:
    with serving(place) as server:
        fire(to(place), LARGE)
    assert server.received == [("POST /hook?event=Stop HTTP/1.1", LARGE)]


@pytest.mark.parametrize("name", ["with space", "it's", '"quoted"', "$HOME", "semi;colon", "back\\slash", "\u00e9"])
def test_no_path_is_taken_for_shell_words(place: Path, name: str) -> None:
    path = place.with_name(name)
    with serving(path) as server:
        fire(to(path))
    assert len(server.received) == 1


def test_without_a_path_the_environment_says_where(place: Path) -> None:
    command = hook_command("Stop", Recipient(None))
    assert f'"${{{SOCKET_VARIABLE}:-{DEFAULT_SOCKET}}}"' in command
    with serving(place) as server:
        fire(command, environment={SOCKET_VARIABLE: str(place)})
    assert len(server.received) == 1


def stale(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "make",
    [lambda path: None, stale, lambda path: path.write_text("x"), lambda path: path.mkdir()],
    ids=["nothing", "a stale socket", "a file", "a directory"],
)
def test_a_server_that_is_down_costs_next_to_nothing(place: Path, make: Callable[[Path], None], event: bytes) -> None:
    make(place)
    fire_within(0.5, to(place), event)


@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("behave", [hang, drip], ids=["accepts and never answers", "answers a byte at a time"])
def test_a_server_that_hangs_costs_less_than_a_second(
    place: Path, behave: Callable[[Server, socket.socket], None], event: bytes
) -> None:
    with serving(place, behave) as server:
        took = fire_within(1.0, to(place), event)
    assert server.connections >= 1
    assert took > 0.5, "this server hung less than this test means it to"


def test_a_server_that_never_accepts_costs_less_than_a_second(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place))
        sock.listen(8)
        fire_within(1.0, to(place), EVENT)


@pytest.mark.parametrize("behave", [insult, slam], ids=["an error with a decision in it", "an early end"])
def test_whatever_a_server_answers_is_not_passed_on(
    place: Path, behave: Callable[[Server, socket.socket], None]
) -> None:
    with serving(place, behave) as server:
        fire(to(place), LARGE)
    assert server.connections == 1


@root_only
@pytest.mark.parametrize("event", [EVENT, LARGE], ids=["small", "large"])
def test_another_users_server_gets_nothing(place: Path, event: bytes) -> None:
    place.parent.chmod(0o777)
    with serving(place, owner=4001) as server:
        place.chmod(0o777)
        fire_within(0.5, to(place), event)
        assert server.connections == 0
        fire(to(place, 4001))
        assert server.connections == 1, "the user who was named at the installation is trusted"


def test_a_symbolic_link_is_not_followed(place: Path) -> None:
    link = place.with_name("link")
    link.symlink_to(place)
    with serving(place) as server:
        fire(to(link))
        assert server.connections == 0
        fire(to(place))
        assert server.connections == 1


def test_a_machine_without_curl_fails_no_session(place: Path, tmp_path: Path) -> None:
    for program in ("find", "id", "cat"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    with serving(place) as server:
        fire(to(place), LARGE, shell=shutil.which("sh") or "sh", environment={"PATH": str(tmp_path)})
    assert server.connections == 0


def test_neither_a_curlrc_nor_a_proxy_has_a_say(place: Path, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text(f'output = "{tmp_path}/stolen"\nproxy = "http://127.0.0.1:9"\nfail-early\n')
    with serving(place) as server:
        fire(
            to(place),
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
