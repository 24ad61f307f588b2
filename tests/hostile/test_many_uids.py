"""One person with tens of thousands of uids is one user, and takes neither everybody's connections nor memory."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.guards import Guard, without
from tests.hostile.stranger import PATH, STRANGER, python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.helpers.observatory_server import ObservatoryServer

FIRST, MANY = 700_000, 12
"""The stranger's other uids."""
DESCRIPTORS = 760
"""Of the server: so few that all connections are taken before the first of them is closed for saying no more."""
TAKE = """
import socket, sys, time
held = []
while True:
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    try:
        sock.sendall(b"GET /health HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
        answer = sock.recv(100)
    except OSError:
        answer = b""
    if b" 200 " not in answer:
        break
    held.append(sock)
print(len(held), flush=True)
time.sleep(600)
"""
"""Takes as many connections as are to be had, and says how many that were."""
MEMBER_OF_MANY = """
import os, socket, sys
os.setgroups(range(100_000, 165_536))
os.setresgid(4242, 4242, 4242)
os.setresuid(4242, 4242, 4242)
held = [socket.socket(socket.AF_UNIX) for _ in range(60)]
for sock in held:
    sock.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""
ONE = """
import contextlib, socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    with contextlib.suppress(BrokenPipeError):  # it was refused already
        sock.sendall(b"POST /hook HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}")
    print(sock.recv(100).split()[1].decode())
"""
NOTHING_SET_ASIDE = Guard(
    "service/quota.py",
    (
        ("            return left >= 0 and (amount <= reserve or held == amount)\n", "            return False\n"),
        ("        return held == amount and left >= max(0, reserve)\n", "        return False\n"),
        ("self._unshared = self._reserve + ", "self._unshared = 0 * "),
    ),
)
NO_RESERVE = Guard("service/outputs/output_socket.py", (("Quota(READERS, accounts.privileged)", "Quota(READERS)"),))
ALL_GROUPS = Guard(
    "service/acceptor.py",
    (
        (
            "import accepted_credentials, accepted_uid\n",
            "import accepted_uid, peer_credentials as accepted_credentials\n",
        ),
    ),
)


@contextmanager
def running(uid: int, program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    identity: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
    with subprocess.Popen(
        [python(), "-I", "-u", "-c", program, *arguments],
        **identity,
        env={"PATH": PATH},
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def sent_by(server: ObservatoryServer, uid: int) -> str:
    """The status of a hook of somebody's who has nothing yet."""
    with running(uid, ONE, server.path) as process:
        return said(process)


def held_by(server: ObservatoryServer, uids: Sequence[int], stack: ExitStack) -> int:
    """How many connections these get when each takes all that there are to be had."""
    return sum(int(said(stack.enter_context(running(uid, TAKE, server.path)))) for uid in uids)


def prefix(subuid: Path | None) -> list[str]:
    """The beginning of a server's command: with few descriptors, and with such a /etc/subuid."""
    mount = f"mount --bind {subuid} /etc/subuid && " if subuid is not None else ""
    return ["unshare", "-m", "sh", "-c", f'{mount}ulimit -n {DESCRIPTORS} && exec "$@"', "sh"]


@pytest.fixture
def subuid(tmp_path: Path) -> Path:
    if not Path("/etc/subuid").exists() or shutil.which("unshare") is None:
        pytest.skip("there is no /etc/subuid for which another could stand, or no unshare")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("may not make a mount namespace here, for a /etc/subuid of the server's own")
    file = tmp_path / "subuid"
    file.write_text(f"{STRANGER}:{FIRST}:65536\n")
    return file


def test_one_person_s_uids_get_what_one_user_gets(subuid: Path, serve: Callable[..., ObservatoryServer]) -> None:
    server = serve("--mode", "0666", prefix=prefix(subuid))
    with ExitStack() as stack:
        alone = held_by(server, [STRANGER], stack)
        more = held_by(server, range(FIRST, FIRST + MANY), stack)
        assert more <= alone / 20
        assert [sent_by(server, uid) for uid in (0, 4343, 4344)] == ["200"] * 3
        assert sent_by(server, FIRST + MANY) == "503"


def test_uids_of_nobody_s_range_are_users_of_whom_each_gets_half_of_the_rest(
    subuid: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    del subuid
    server = serve("--mode", "0666", prefix=prefix(None))
    with ExitStack() as stack:
        alone = held_by(server, [STRANGER], stack)
        assert held_by(server, range(FIRST, FIRST + MANY), stack) > alone / 2
        assert [sent_by(server, uid) for uid in (0, 4343, 4344)] == ["200"] * 3


def test_with_nothing_set_aside_a_newcomer_and_root_are_refused(
    subuid: Path, serve: Callable[..., ObservatoryServer], tmp_path: Path
) -> None:
    del subuid
    unguarded = without(tmp_path, NOTHING_SET_ASIDE)
    server = serve("--mode", "0666", prefix=prefix(None), **unguarded)
    with ExitStack() as stack:
        held_by(server, range(FIRST, FIRST + MANY), stack)
        assert [sent_by(server, uid) for uid in (0, 4343)] == ["503"] * 2


READ = """
import select, socket, sys
held = [socket.socket(socket.AF_UNIX) for _ in range(int(sys.argv[2]))]
for sock in held:
    sock.connect(sys.argv[1])
print("ready", flush=True)
print(select.select(held, [], [], 20)[0][0].recv(20).decode(), flush=True)
sys.stdin.readline()
"""
"""Becomes a reader of the output socket, or many, and says what one of them reads."""


def told_to_root(server: ObservatoryServer) -> str:
    """What root reads at the output socket when an event comes, while many uids hold all places that they get."""
    with ExitStack() as stack:
        for uid in range(FIRST, FIRST + 40):
            many = "140" if uid < FIRST + MANY else "1"
            assert said(stack.enter_context(running(uid, READ, f"{server.path[:-1]}readers", many))) == "ready"
        root = stack.enter_context(running(0, READ, f"{server.path[:-1]}readers", "1"))
        assert said(root) == "ready"
        assert sent_by(server, 4343) == "200"
        return said(root)


def test_root_reads_events_whoever_else_does(shared: Path, serve: Callable[..., ObservatoryServer]) -> None:
    server = serve("--mode", "0666", "--output-socket", f"{shared}/readers", "--tee")
    assert told_to_root(server).startswith('{"_id":')


def test_with_no_reserve_root_finds_no_place_among_the_readers(
    shared: Path, serve: Callable[..., ObservatoryServer], tmp_path: Path
) -> None:
    unguarded = without(tmp_path, NO_RESERVE)
    server = serve("--mode", "0666", "--output-socket", f"{shared}/readers", "--tee", **unguarded)
    assert told_to_root(server) == ""


def resident(server: ObservatoryServer) -> int:
    """Kilobytes of a server's memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found is not None
    return int(found[1])


def grown_by_groups(server: ObservatoryServer) -> int:
    """How many kilobytes more a server has when someone with very many groups holds connections."""
    assert sent_by(server, STRANGER) == "200"
    before = resident(server)
    with running(0, MEMBER_OF_MANY, server.path) as process:
        assert said(process) == "ready"
        assert sent_by(server, 4343) == "200"
        return resident(server) - before


def test_idle_connections_with_many_groups_take_no_more_than_others(serve: Callable[..., ObservatoryServer]) -> None:
    assert grown_by_groups(serve("--mode", "0666")) < 10_000


def test_where_all_groups_are_kept_they_take_megabytes_each(
    serve: Callable[..., ObservatoryServer], tmp_path: Path
) -> None:
    assert grown_by_groups(serve("--mode", "0666", **without(tmp_path, ALL_GROUPS))) > 60_000
