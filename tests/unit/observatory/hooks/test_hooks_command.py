"""A hook's command, run by a shell as Claude Code does: it hands the event on, prints nothing, and always ends well."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from observatory.address import SOCKET_VARIABLE
from observatory.hooks.command import Place, Recipient, hook_command, is_hook_command, recipient_of, socket_of
from tests.helpers.deadline import until
from tests.helpers.directories import short_directory
from tests.helpers.fake_server import FakeServer, hang, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def fire(
    command: str,
    event: bytes = EVENT,
    shell: str = "sh",
    environment: dict[str, str] | None = None,
    user: int | None = None,
    directory: Path = Path("/"),
) -> float:
    """Run a hook's command, give it the event, and hold it to what every hook must keep; how long it took."""
    started = time.monotonic()
    process = subprocess.Popen(
        [shell, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]} | (environment or {}),
        cwd=directory,
        user=user,
        group=user,
        extra_groups=None if user is None else (),
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
    """Run it until it takes less than that: another program may have the processor."""
    took: list[float] = []

    def quickly() -> bool:
        took.append(fire(command, event))
        return took[-1] < seconds

    until(quickly, lambda: f"took {min(took):.2f} s at the best of {len(took)} attempts, and not less than {seconds} s")
    return took[-1]


def to(path: Path, *uids: int) -> str:
    return hook_command("Stop", Recipient(str(path), uids))


@pytest.fixture(params=["sh", "dash", "bash", "zsh", "busybox"])
def shell(request: pytest.FixtureRequest, need: Callable[[str, str], str]) -> Iterator[str]:
    name = str(request.param)
    found = need(name, name)
    if name != "busybox":
        yield found
        return
    with short_directory(0o755) as folder:
        (folder / "ash").symlink_to(found)
        yield str(folder / "ash")


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
    with serving(path, answer) as server:
        fire(command, environment={SOCKET_VARIABLE: str(path)})
    assert len(server.received) == 1


def test_without_a_path_and_a_variable_the_runtime_directory_is_looked_in_first(path: Path, shell: str) -> None:
    command = hook_command("Stop", Recipient(None))
    with serving(path.with_name("claude-observatory.sock"), answer) as server:
        fire(command, shell=shell, environment={"XDG_RUNTIME_DIR": str(path.parent)})
        assert len(server.received) == 1
        fire(command, environment={"XDG_RUNTIME_DIR": str(path.parent), SOCKET_VARIABLE: str(path)})
        assert len(server.received) == 1, "where the variable names another server, none is looked for"


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
    path.parent.chmod(0o755)
    os.chown(path.parent, 4001, 4001)
    with serving(path, answer, owner=4001) as server:
        path.chmod(0o777)
        fire_within(0.5, to(path), event)
        assert server.connections == 0
        fire(to(path, 4001))
        assert server.connections == 1, "the user who was named at the installation is trusted"


OWN, ROOT, NAMED, STRANGER = 4001, 0, 4002, 4003


@root_only
@pytest.mark.parametrize(
    ("directory", "mode", "socket", "sent"),
    [
        (OWN, 0o700, OWN, True),
        (OWN, 0o755, OWN, True),
        (OWN, 0o711, ROOT, True),
        (ROOT, 0o755, ROOT, True),
        (ROOT, 0o711, NAMED, True),
        (NAMED, 0o755, NAMED, True),
        (NAMED, 0o755, OWN, True),
        (STRANGER, 0o755, STRANGER, False),
        (STRANGER, 0o755, OWN, False),
        (ROOT, 0o755, STRANGER, False),
        (OWN, 0o755, STRANGER, False),
        (OWN, 0o777, STRANGER, False),
        (OWN, 0o1777, OWN, False),
        (OWN, 0o777, ROOT, False),
        (ROOT, 0o1777, OWN, False),
        (ROOT, 0o1777, ROOT, False),
        (ROOT, 0o777, NAMED, False),
        (ROOT, 0o775, NAMED, False),
        (NAMED, 0o1777, NAMED, False),
    ],
)
def test_an_event_is_sent_only_where_nobody_else_can_make_a_socket(
    path: Path, shell: str, directory: int, mode: int, socket: int, sent: bool
) -> None:
    path.parent.chmod(0o755)
    inner = path.parent / "inner"
    inner.mkdir()
    with serving(inner / "o.sock", answer) as server:
        os.chown(inner / "o.sock", socket, socket)
        (inner / "o.sock").chmod(0o666)
        os.chown(inner, directory, directory)
        inner.chmod(mode)
        fire(to(inner / "o.sock", NAMED), shell=shell, user=OWN)
        assert server.connections == sent


@root_only
@pytest.mark.parametrize("owner", [OWN, NAMED, STRANGER])
def test_in_a_shared_directory_the_socket_in_the_private_one_gets_it(path: Path, shell: str, owner: int) -> None:
    path.parent.chmod(0o1777)
    private = path.with_name("o.sock.d")
    private.mkdir()
    with serving(path, answer) as beside, serving(private / "s", answer) as server:
        for each in (path, private, private / "s"):
            os.chown(each, owner, owner)
        private.chmod(0o755)
        (private / "s").chmod(0o666)
        fire(to(path, NAMED), shell=shell, user=OWN)
        assert server.connections == (owner != STRANGER)
        assert beside.connections == 0
        private.chmod(0o777)
        os.chown(private / "s", STRANGER, STRANGER)
        fire(to(path, NAMED), shell=shell, user=OWN)
        assert server.connections == (owner != STRANGER)


def test_a_command_that_finds_no_directory_stays_out_of_the_projects(path: Path) -> None:
    """The name of the socket is then one of the project's, in which it may have been planted."""
    with serving(path, answer) as server:
        for gone in (path.parent / "gone" / path.name, Path("/gone") / path.name):
            fire(to(gone), directory=path.parent)
    assert server.connections == 0


@root_only
def test_root_is_not_taken_in_by_a_directory_of_its_own_that_all_may_write_in(path: Path, shell: str) -> None:
    path.parent.chmod(0o1777)
    with serving(path, answer) as server:
        fire(to(path), shell=shell)
        assert server.connections == 0
        path.parent.chmod(0o755)
        fire(to(path), shell=shell)
        assert server.connections == 1


OTHER = (
    "observatory=/tmp/claude-observatory.sock; "
    r'{ [ -n "$(find "$observatory" -prune -type s \( -user "$(id -u)" -o -user 0 \))" ] && '
    "curl -q -s --noproxy '*' --connect-timeout 0.3 --max-time 0.7 "
    '--unix-socket "$observatory" -X POST '
    "-H 'Content-Type: application/json' -H 'Expect:' --data-binary @- "
    "'http://localhost/hook?event=Stop' || cat; } >/dev/null 2>&1 || true"
)
"""What this version does not install."""


def test_a_command_is_known_again_whatever_version_it_is_of() -> None:
    assert is_hook_command(OTHER)
    assert socket_of(OTHER) == "/tmp/claude-observatory.sock"
    assert recipient_of("Stop", OTHER) is None
    recipients = [Recipient("/run/o's.sock"), Recipient("/run/o.sock", (12, 4001)), Recipient(None)]
    recipients += [Recipient("/run/o.sock", place=place) for place in get_args(Place)]
    for recipient in recipients:
        command = hook_command("Stop", recipient)
        assert is_hook_command(command)
        assert socket_of(command) == recipient.socket
        assert recipient_of("Stop", command) == recipient
        assert recipient_of("PreToolUse", command) is None


def test_a_symbolic_link_is_not_followed(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    with serving(path, answer) as server:
        fire(to(link))
        assert server.connections == 0
        fire(to(path))
        assert server.connections == 1


def test_ones_own_server_takes_no_program_but_curl(path: Path, tmp_path: Path, curl: str) -> None:
    (tmp_path / "curl").symlink_to(curl)
    with serving(path, answer) as server:
        fire(to(path), shell=shutil.which("sh") or "sh", environment={"PATH": str(tmp_path)})
    assert len(server.received) == 1


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


@root_only
@pytest.mark.parametrize(("owner", "programs"), [(OWN, ["curl"]), (ROOT, ["find", "curl"])])
def test_no_program_is_started_but_those_that_are_needed(
    path: Path, tmp_path: Path, owner: int, programs: list[str]
) -> None:
    """Each program that a shell finds is one that says its name first."""
    path.parent.chmod(0o755)
    inner = path.parent / "inner"
    inner.mkdir()
    told = path.parent / "told"
    told.touch()
    told.chmod(0o666)
    for name in ("curl", "find", "id", "test", "cat"):
        program = path.parent / name
        program.write_text(f'#!/bin/sh\necho {name} >>{told}\nexec {shutil.which(name)} "$@"\n')
        program.chmod(0o755)
    with serving(inner / "o.sock", answer) as server:
        for each in (inner / "o.sock", inner):
            os.chown(each, owner, owner)
        (inner / "o.sock").chmod(0o666)
        fire(to(inner / "o.sock"), user=OWN, environment={"PATH": f"{path.parent}:{os.environ['PATH']}"})
        assert server.connections == 1
    assert told.read_text().split() == programs
