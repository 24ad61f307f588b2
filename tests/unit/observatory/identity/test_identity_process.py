"""Process details are reported only of the very process that the descriptor holds, however the race goes."""

from __future__ import annotations

import os
import platform
import select
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from observatory.identity import process
from observatory.identity.process import LONGEST_CHAIN, ancestors, describe, open_ancestor
from tests.helpers.deadline import PATIENCE
from tests.helpers.descriptors import none_left_open, open_descriptors
from tests.helpers.presence import present

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "linux":
    raise pytest.skip.Exception("pidfds are Linux's", allow_module_level=True)

RELEASE = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
pytestmark = pytest.mark.skipif(RELEASE < (5, 3), reason="pidfds came with Linux 5.3")

# A process that names its descendants' pids, youngest last, each waiting for its standard input's end.
NEST = """
import os, sys
depth = int(sys.argv[1])
print(os.getpid(), flush=True)
for _ in range(depth):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        os._exit(0)
    print(os.getpid(), flush=True)
sys.stdin.read()
"""


@contextmanager
def nest(depth: int) -> Iterator[list[int]]:
    """So many generations below a child of this process; their pids, oldest first."""
    command = [sys.executable, "-I", "-S", "-c", NEST, str(depth)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield [int(child.stdout.readline()) for _ in range(depth + 1)]
        child.stdin.close()


@contextmanager
def held(pid: int) -> Iterator[int]:
    pidfd = os.pidfd_open(pid)
    try:
        yield pidfd
    finally:
        os.close(pidfd)


@contextmanager
def waiting(command: list[str], executable: str | None = None) -> Iterator[int]:
    """A descriptor of a child that has said a line and waits for its standard input's end, which then comes."""
    with subprocess.Popen(command, executable=executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with held(process.pid) as pidfd:
            yield pidfd
        process.stdin.close()


def end(pid: int) -> None:
    """Kill a child of this process and collect it, so that its number is free."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A child that waits."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


def test_a_living_process_is_described(child: subprocess.Popen[bytes]) -> None:
    with held(child.pid) as pidfd:
        seen = present(describe(pidfd))

    assert seen.uid == os.geteuid()
    assert (seen.pid, seen.parent, seen.session) == (child.pid, os.getpid(), os.getsid(0))
    assert seen.exe == os.path.realpath(present(shutil.which("cat")))
    assert seen.command == "cat"
    assert present(seen.cgroup).startswith("/")


def test_only_the_first_word_of_a_command_line_is_kept_and_only_its_beginning() -> None:
    command = ["x" * 100_000, "-c", "echo started; read _", "secret"]
    with waiting(command, executable="/bin/sh") as pidfd:
        assert present(describe(pidfd)).command == "x" * 8192


@pytest.mark.parametrize(
    ("comm", "shown"),
    [(b"a) S 1 (b", "a) S 1 (b"), (b"two\nlines", "two\nlines"), (b"caf\xe9", "caf\\xe9")],
)
def test_a_name_made_to_mislead_is_only_a_name(comm: bytes, shown: str) -> None:
    code = f"open('/proc/self/comm', 'wb').write({comm!r}); import sys; print(1, flush=True); sys.stdin.read()"
    with waiting([sys.executable, "-I", "-S", "-c", code]) as pidfd:
        seen = present(describe(pidfd))

    assert (seen.comm, seen.parent) == (shown, os.getpid())


def test_a_process_that_has_ended_is_not_described(child: subprocess.Popen[bytes]) -> None:
    with held(child.pid) as pidfd:
        end(child.pid)
        child.returncode = -9

        assert describe(pidfd) is None
        assert ancestors(pidfd) is None
        assert open_ancestor(pidfd, lambda details: True) is None


def test_a_zombie_is_not_described_though_proc_still_has_its_number(child: subprocess.Popen[bytes]) -> None:
    with held(child.pid) as pidfd:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert os.path.exists(f"/proc/{child.pid}/stat")
        assert describe(pidfd) is None
        assert ancestors(pidfd) is None


def test_what_was_read_before_the_process_ended_is_not_reported(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race that pid reuse needs, forced: everything is read, then the process ends, then its handle is asked."""
    read = process._read
    was_read = []

    def then_end(pid: int) -> process.ProcessDetails:
        was_read.append(read(pid))
        end(pid)
        child.returncode = -9
        return was_read[0]

    monkeypatch.setattr(process, "_read", then_end)
    with held(child.pid) as pidfd:
        assert describe(pidfd) is None
    assert was_read[0].pid == child.pid


def test_another_process_under_the_same_number_is_not_taken_for_the_peer(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the number had been reused at the worst moment: /proc answers with this process in the peer's place."""
    with held(child.pid) as pidfd, monkeypatch.context() as patched:
        details = process._read
        patched.setattr(process, "_read", lambda pid: details(os.getpid()))
        end(child.pid)
        child.returncode = -9
        patched.setattr(process, "_pid_of", lambda pidfd: child.pid)

        assert describe(pidfd) is None
        assert ancestors(pidfd) is None


def test_a_descriptor_that_is_no_pidfd_describes_nothing() -> None:
    read, write = os.pipe()
    try:
        assert describe(read) is None
        assert ancestors(read) is None
    finally:
        os.close(read)
        os.close(write)


def test_the_chain_of_parents_is_named_nearest_first() -> None:
    with nest(3) as pids, held(pids[-1]) as pidfd:
        chain = present(ancestors(pidfd))

    assert [link.pid for link in chain[:4]] == [pids[2], pids[1], pids[0], os.getpid()]


def test_the_chain_stops_at_its_longest() -> None:
    with nest(LONGEST_CHAIN + 2) as pids, held(pids[-1]) as pidfd:
        chain = present(ancestors(pidfd))

    assert [link.pid for link in chain] == pids[-2 : -2 - LONGEST_CHAIN : -1]


def test_no_descriptor_is_left_open_but_the_one_that_was_asked_for() -> None:
    with nest(3) as pids, held(pids[-1]) as pidfd:
        with none_left_open():
            ancestors(pidfd)
            assert present(open_ancestor(pidfd, lambda details: False))[1] is None
            with pytest.raises(ZeroDivisionError):
                open_ancestor(pidfd, lambda details: bool(1 // 0))
        before = open_descriptors()
        _, opened = present(open_ancestor(pidfd, lambda details: details.pid == pids[1]))
        found = present(opened)
        try:
            assert open_descriptors() - before == {str(found.descriptor)}
        finally:
            os.close(found.descriptor)


def test_an_ancestors_descriptor_reports_its_end_and_no_one_elses() -> None:
    with nest(2) as pids, held(pids[-1]) as pidfd:
        lineage, opened = present(open_ancestor(pidfd, lambda details: details.pid == pids[0]))
        found = present(opened)
        try:
            assert found.details.pid == pids[0]
            assert lineage.process == describe(pidfd)
            assert lineage.ancestors[1] == found.details
            os.kill(pids[1], signal.SIGSTOP)
            assert select.select([found.descriptor], [], [], 0)[0] == []
            os.kill(pids[0], signal.SIGKILL)
            assert select.select([found.descriptor], [], [], PATIENCE)[0] == [found.descriptor]
        finally:
            os.close(found.descriptor)
            for pid in pids[1:]:
                os.kill(pid, signal.SIGKILL)


def test_a_parent_that_ends_while_it_is_read_ends_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be anybody's by then; the child, which lives, has another parent now."""
    with nest(2) as pids, held(pids[-1]) as pidfd:
        read = process._read
        parent = pids[1]

        def end_the_parent(pid: int) -> process.ProcessDetails:
            details = read(pid)
            if pid == parent:
                with held(parent) as gone:
                    os.kill(parent, signal.SIGKILL)
                    assert select.select([gone], [], [], PATIENCE)[0]
            return details

        monkeypatch.setattr(process, "_read", end_the_parent)
        with none_left_open():
            assert ancestors(pidfd) == ()
        monkeypatch.undo()
        assert present(describe(pidfd)).pid == pids[-1]


def test_a_stranger_who_got_the_dead_parents_number_is_not_taken_for_an_ancestor(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the parent had ended between two looks and its number had been reused: the child says so."""
    with nest(1) as pids, held(pids[-1]) as pidfd:
        read = process._read
        looks = []

        def stale_at_first(pid: int) -> process.ProcessDetails:
            looks.append(pid)
            details = read(pid)
            return replace(details, parent=child.pid) if looks == [pids[-1]] else details

        monkeypatch.setattr(process, "_read", stale_at_first)

        assert ancestors(pidfd) == ()
        assert child.pid in looks


def test_an_ancestor_that_ends_after_it_was_read_ends_the_chain_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with nest(3) as pids, held(pids[-1]) as pidfd:
        grandparent = pids[1]
        alive = process.alive

        def end_the_grandparent(asked: int) -> bool:
            if asked == pidfd:
                with held(grandparent) as gone:
                    os.kill(grandparent, signal.SIGKILL)
                    assert select.select([gone], [], [], PATIENCE)[0]
            return alive(asked)

        monkeypatch.setattr(process, "alive", end_the_grandparent)
        with none_left_open():
            assert [link.pid for link in present(ancestors(pidfd))] == [pids[2]]


def test_where_python_cannot_open_pidfds_no_chain_is_claimed(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(child.pid) as pidfd:
        monkeypatch.delattr(os, "pidfd_open")

        assert ancestors(pidfd) is None
        assert present(describe(pidfd)).pid == child.pid


def test_asking_a_closed_descriptor_whether_it_lives_is_an_error() -> None:
    pidfd = os.pidfd_open(os.getpid())
    os.close(pidfd)
    with pytest.raises(OSError, match="closed"):
        process.alive(pidfd)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"0::/user.slice/a:b\n", "/user.slice/a:b"),
        (b"12:cpu,cpuacct:/x\n1:name=systemd:/old\n0::/new\n", "/new"),
        (b"12:cpu,cpuacct:/x\n1:name=systemd:/old\n", "/old"),
        (b"12:cpu,cpuacct:/x\n", None),
        (b"", None),
    ],
)
def test_the_cgroup_is_the_unified_one_or_else_systemds(text: bytes, path: str | None) -> None:
    assert process.parse_cgroup(text) == path
