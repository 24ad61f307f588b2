"""One user takes nothing from another: connections, descriptors, memory, the disk, the time."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import QUICK, until
from tests.helpers.own_process import effective_user
from tests.helpers.unix_http import connected, post, read_answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.helpers.observatory_server import ObservatoryServer


def descriptors(limit: str) -> list[str]:
    """A command's beginning: with so many descriptors."""
    return ["sh", "-c", f'ulimit {limit} && exec "$@"', "sh"]


def limit(server: ObservatoryServer, which: int, soft: int, hard: int = resource.RLIM_INFINITY) -> None:
    """Change a limit of a running server."""
    if sys.platform != "linux":
        pytest.skip("another process's limits are changed on Linux alone")
    resource.prlimit(server.process.pid, which, (soft, hard))


def connected_in_the_end(path: str) -> socket.socket:
    """A connection, however often it is refused: outside Linux that is what a full queue says."""
    found: list[socket.socket] = []

    def tried() -> bool:
        try:
            found.append(connected(path))
        except ConnectionRefusedError:
            if sys.platform == "linux":
                raise
        return bool(found)

    until(tried, "accepted")
    return found[0]


def answered(sock: socket.socket) -> bytes:
    """What has been answered by now."""
    sock.setblocking(False)
    try:
        return sock.recv(1 << 20)
    except (BlockingIOError, ConnectionResetError):
        return b""


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at another process by Linux's means")


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to be several users")


def sent_by_root_quickly(server: ObservatoryServer) -> None:
    begun = time.monotonic()
    assert server.send() == 200
    assert time.monotonic() - begun < QUICK


@pytest.mark.usefixtures("root")
def test_ten_thousand_half_open_connections_of_one_user_do_not_stop_another(
    serve: Callable[..., ObservatoryServer],
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(10_000, hard - 200)
    server = serve("--mode", "0666", prefix=descriptors("-n 8192"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks: list[socket.socket] = []
    try:
        while len(socks) < wanted:
            with effective_user(4711):
                for _ in range(min(500, wanted - len(socks))):
                    socks.append(connected_in_the_end(server.path))
                    with contextlib.suppress(BrokenPipeError):  # it was refused already
                        socks[-1].sendall(b"POST /hook HTTP/1.1\r\n")
            sent_by_root_quickly(server)
        refused = sum(b" 503 " in answered(sock) for sock in socks)
    finally:
        for sock in socks:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert refused > 0
    server.wait_for("uid 4711 has too many connections")
    sent_by_root_quickly(server)


@pytest.mark.usefixtures("root")
def test_a_user_whose_connections_never_stop_speaking_does_not_stop_another(
    serve: Callable[..., ObservatoryServer],
) -> None:
    server = serve("--mode", "0666")
    many = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    stop = threading.Event()
    with effective_user(4711):
        socks = [connected(server.path) for _ in range(60)]

    def speak() -> None:
        poll = select.poll()
        for sock in socks:
            sock.setblocking(False)
            poll.register(sock, select.POLLIN | select.POLLOUT)
        by_number = {sock.fileno(): sock for sock in socks}
        while not stop.is_set():
            for number, _ in poll.poll(100):
                with contextlib.suppress(BlockingIOError):
                    by_number[number].recv(1 << 20)
                with contextlib.suppress(BlockingIOError):
                    by_number[number].send(many)

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        for _ in range(10):
            sent_by_root_quickly(server)
    finally:
        stop.set()
        speaker.join()
        for sock in socks:
            sock.close()


@linux
def test_when_no_descriptor_is_left_the_server_goes_on_as_soon_as_there_is(server: ObservatoryServer) -> None:
    """The limit is lowered under a running server: it keeps away from the one that it has started with."""
    used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    limit(server, resource.RLIMIT_NOFILE, used + 2, used + 2)
    idle = [server.connect() for _ in range(6)]
    server.wait_for("cannot accept connections just now: Too many open files")
    waiting = server.connect()
    waiting.sendall(post(b'{"waited":1}'))
    assert select.select([waiting], [], [], 0.3)[0] == []
    for sock in idle:
        sock.close()
    assert read_answer(waiting) == (200, b"")
    waiting.close()
    assert server.send() == 200


@pytest.mark.usefixtures("root")
def test_a_user_with_much_under_way_is_refused_more_and_another_is_not(serve: Callable[..., ObservatoryServer]) -> None:
    server = serve("--mode", "0666")
    part = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n" + b"x" * 15_900_000
    socks = []
    for _ in range(12):  # 190 MB, of which a user may have half of 256 under way
        with effective_user(4711):
            socks.append(connected(server.path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socks[-1].sendall(part)
    server.wait_for("uid 4711 has too much under way at once")
    refused = sum(b" 503 " in answered(sock) for sock in socks)
    assert 1 <= refused <= 6
    assert server.send(b'{"x":"' + b"x" * 10_000_000 + b'"}') == 200
    for sock in socks:
        sock.close()
    for _ in range(10):
        with effective_user(4711):
            sock = connected(server.path)
        with sock:
            sock.sendall(post(b'{"x":"' + b"x" * 15_000_000 + b'"}'))
            assert read_answer(sock)[0] == 200


def test_a_database_that_someone_else_has_locked_is_503_and_then_200(server: ObservatoryServer) -> None:
    assert server.send({"n": 1}) == 200
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(3):
        with server.connect() as sock:
            sock.sendall(post())
            status, body = read_answer(sock)
        assert (status, body) == (503, b"The event could not be stored: database is locked.\n")
    assert server.get("/health")[0] == 200
    assert [event["n"] for event in server.events()] == [1]
    other.execute("ROLLBACK")
    other.close()
    assert server.send({"n": 2}) == 200
    assert [event["n"] for event in server.stored()] == [1, 2]
    server.wait_for("events could not be stored (database is locked): 1 were refused with 503")


def test_a_lock_that_is_held_for_a_moment_only_is_waited_for(server: ObservatoryServer) -> None:
    other = sqlite3.connect(server.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    release.start()
    assert server.send({"n": 1}) == 200
    release.join()
    other.close()


@linux
def test_a_full_disk_is_503_and_what_was_acknowledged_is_still_there(
    serve: Callable[..., ObservatoryServer], directory: Path
) -> None:
    """Full is what the limit of a file's size makes it: SQLite's next write fails in the same way."""
    server = serve("--output-socket", f"{directory}/o")
    body = b'{"x":"' + b"x" * 100_000 + b'"}'
    assert server.send(body) == 200
    limit(server, resource.RLIMIT_FSIZE, 3_000_000)
    statuses = [server.send(body) for _ in range(60)]
    acknowledged = 1 + statuses.count(200)
    assert set(statuses) == {200, 503}
    assert statuses[-1] == 503
    assert server.get("/health")[0] == 200
    assert len(server.events()) == acknowledged
    limit(server, resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
    assert server.send(b'{"after":1}') == 200
    server.wait_for("events could not be stored")
    server.kill()
    events = server.stored()
    assert len(events) == acknowledged + 1
    assert events[-1]["after"] == 1
    assert [event["_id"] for event in events] == list(range(1, acknowledged + 2))


@pytest.mark.usefixtures("root")
def test_a_really_full_disk_is_503_until_there_is_room(
    serve: Callable[..., ObservatoryServer], directory: Path, need: Callable[[str, str], str]
) -> None:
    unshare = need("unshare", "util-linux")
    need("mount", "mount")
    if subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("may not make a mount namespace here, for a small disk of its own")
    (directory / "disk").mkdir()
    script = f'mount -t tmpfs -o size=2m none {directory}/disk && exec "$@"'
    server = serve("--database", f"{directory}/disk/db", prefix=[unshare, "-m", "sh", "-c", script, "sh"])
    statuses = [server.send(b'{"n":%d,"x":"%b"}' % (n, b"x" * 50_000)) for n in range(60)]
    acknowledged = [n for n, status in enumerate(statuses) if status == 200]
    assert 5 < len(acknowledged) < 60
    assert statuses[-1] == 503
    subprocess.run(
        ["nsenter", "-t", str(server.process.pid), "-m", "mount", "-o", "remount,size=8m", f"{directory}/disk"],
        check=True,
    )
    assert server.send(b'{"n":999}') == 200
    assert [event["n"] for event in server.events()] == [*acknowledged, 999]


@pytest.fixture
def precedence() -> None:
    """Skip where no server could take it."""
    if os.getpriority(os.PRIO_PROCESS, 0) != 0:
        pytest.skip("this process has another niceness, which a server leaves as it is")
    take = "import os; os.setpriority(os.PRIO_PROCESS, 0, -1)"
    if subprocess.run([sys.executable, "-c", take], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs CAP_SYS_NICE, to take precedence")


@linux
@pytest.mark.usefixtures("root", "precedence")
def test_a_server_for_others_takes_precedence_and_one_for_its_own_user_does_not(
    serve: Callable[..., ObservatoryServer],
) -> None:
    def niceness(server: ObservatoryServer) -> int:
        return os.getpriority(os.PRIO_PROCESS, server.process.pid)

    assert niceness(serve("--mode", "0600", name="own")) == 0
    assert niceness(serve("--mode", "0666", name="all")) == -10
    assert niceness(serve("--mode", "0666", name="less", prefix=["nice", "-n", "5"])) == 5


@linux
@pytest.mark.usefixtures("root", "precedence")
def test_precedence_holds_among_sessions_for_a_server_that_leads_one(serve: Callable[..., ObservatoryServer]) -> None:
    def niceness(server: ObservatoryServer) -> str:
        return Path(f"/proc/{server.process.pid}/autogroup").read_text().rpartition(" nice ")[2].strip()

    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel does not group the processes of a session")
    assert niceness(serve("--mode", "0666", name="led", prefix=["setsid"])) == "-10"
    assert niceness(serve("--mode", "0600", name="own", prefix=["setsid"])) == "0"
    among_others = serve("--mode", "0666", name="among-others")
    assert niceness(among_others) == Path("/proc/self/autogroup").read_text().rpartition(" nice ")[2].strip()


@pytest.mark.usefixtures("root")
def test_that_few_may_wait_is_said(serve: Callable[..., ObservatoryServer], need: Callable[[str, str], str]) -> None:
    unshare = need("unshare", "util-linux")
    # A container's own /proc/sys can't be written.
    script = 'mount -t proc none /proc && echo 128 >/proc/sys/net/core/somaxconn && exec "$@"'
    few = [unshare, "--net", "--mount", "sh", "-c", script, "sh"]
    if subprocess.run([*few, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("may not make namespaces here, for a setting of its own")
    server = serve(prefix=few)
    server.wait_for("warning: only 128 connections of all users may wait at once")
    assert server.send() == 200


@linux
def test_memory_is_not_taken_by_those_who_send_nothing(server: ObservatoryServer) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    socks = [server.connect() for _ in range(400)]
    assert server.send() == 200
    assert (resident() - before) / len(socks) < 10_000
    for sock in socks:
        sock.close()


def test_the_limit_of_descriptors_is_raised_as_far_as_is_allowed(serve: Callable[..., ObservatoryServer]) -> None:
    if sys.platform != "linux":
        pytest.skip("another process's limits are told on Linux alone")
    server = serve(prefix=descriptors("-Sn 256"))
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard > 256


def test_a_peer_that_is_gone_before_it_is_accepted_is_no_fault(server: ObservatoryServer) -> None:
    for _ in range(200):
        connected_in_the_end(server.path).close()
    assert server.send() == 200
    assert len(server.log) == 1
