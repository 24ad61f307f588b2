"""`harness watch`: who is refused at a socket, as the kernel's audit system records it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.audit.error import AuditError
from harness.audit.kernel import Kernel
from harness.audit.rule import rule, watcher
from harness.trace.calls import machine
from tests.helpers.deadline import until
from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.explain.stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="the audit system is for root on Linux"
)

CLIENT = """
import os, socket, sys
path = sys.argv[1]
try:
    socket.socket(socket.AF_UNIX).connect("\\0" + path[1:] if path.startswith("@") else path)
    print("ok", flush=True)
except OSError as error:
    print(error.errno, flush=True)
if "stays" in sys.argv:
    sys.stdin.read()
"""
"""Connects to a path; with `stays`, it ends with its standard input."""


@dataclass
class Watching:
    """`harness watch` of a path in a stage."""

    process: subprocess.Popen[str]
    output: Path

    def refusals(self, count: int) -> list[str]:
        """The first lines of as many refusals, without the program, once there are as many."""

        def told() -> list[str]:
            return [line for line in self.output.read_text().splitlines() if line.startswith("harness: ")]

        until(lambda: len(told()) >= count, self.output.read_text, seconds=60, pause=0.02)
        assert len(told()) == count
        return [line.partition(") ")[2] for line in told()]

    def ended(self, by: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """End it; its status, and all that it has printed."""
        self.process.send_signal(by)
        status = self.process.wait(60)
        return status, self.output.read_text()


@pytest.fixture(autouse=True)
def audited() -> Iterator[None]:
    """The machine has one audit system, so one test at a time."""
    try:
        with Kernel() as kernel:
            kernel.status()
    except AuditError as error:
        pytest.skip(str(error))
    with Path(__file__).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged() as made:
        yield made


@contextlib.contextmanager
def watching(stage: Stage, path: str) -> Iterator[Watching]:
    output = stage.temporary / "watched"
    command = stage.entered(sys.executable, "-m", "harness", "watch", path)
    with (
        output.open("w") as file,
        subprocess.Popen(
            command, env={**os.environ, **stage.environment}, stdout=file, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        try:
            first = process.stderr.readline()
            assert first.startswith(f"harness: watching {path};"), first
            yield Watching(process, output)
        finally:
            process.terminate()
            process.wait(60)


def connect(stage: Stage, path: str, *, by: str = "ali", inside: tuple[str, ...] = ()) -> str:
    """What the kernel says to a user, whose process ends then."""
    become = ("setpriv", "--reuid", by, "--regid", by, "--init-groups")
    return stage.enter(*inside, *become, sys.executable, "-ISc", CLIENT, path).stdout.strip()


@contextlib.contextmanager
def connected(stage: Stage, path: str, *options: str, inside: tuple[str, ...] = ()) -> Iterator[None]:
    """A process of ali's that has tried, and stays."""
    become = ("setpriv", "--reuid", "ali", "--regid", "ali", *(options or ("--init-groups",)))
    command = stage.entered(*inside, *become, sys.executable, "-ISc", CLIENT, path, "stays")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() != "ok\n"
        yield
        client.stdin.close()


def test_who_is_refused_is_told_with_the_reason_while_they_wait(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0660")
    with watching(stage, "/run/s.sock") as watched:
        with connected(stage, "/run/s.sock"):
            assert watched.refusals(1) == ["connect /run/s.sock: EACCES: ali lacks w on /run/s.sock"]
        status, text = watched.ended()
    assert status == 1
    assert "has ended" not in text
    path, who, _, call, times, answer, *_ = text.splitlines()[-1].split()
    assert (path, who, call, times, answer) == ("/run/s.sock", "ali", "connect", "1", "EACCES")


def test_the_document_shows_what_is_said(stage: Stage) -> None:
    text = (Path(__file__).parents[3] / "docs" / "explain.md").read_text()
    shown = r"^```text\n\$ harness watch /run/docker.sock\nharness: watching [^\n]+\n(.*?)^```$"
    (block,) = re.findall(shown, text, re.MULTILINE | re.DOTALL)
    stage.run("serve -- /run/docker.sock mode=0660 group=docker")
    with watching(stage, "/run/docker.sock") as watched, connected(stage, "/run/docker.sock"):
        watched.refusals(1)
        said = watched.output.read_text()
    assert re.sub(r"python \(\d+\)", "python (4711)", said)[: len(block)] == block


def test_of_a_process_that_has_ended_it_is_told_what_a_new_login_would_meet(stage: Stage) -> None:
    stage.run("mkdir -m 0700 /run/d; serve -- /run/d/s.sock mode=0666")
    with watching(stage, "/run/d/s.sock") as watched:
        assert connect(stage, "/run/d/s.sock") == "13"
        assert watched.refusals(1)[0].endswith("connect /run/d/s.sock: EACCES: ali lacks x on /run/d")
        _, text = watched.ended()
    assert "note   the process has ended: this is what a new login of ali would meet now" in text


def test_a_shell_that_is_older_than_its_users_group_is_told_of(stage: Stage) -> None:
    """By its own groups while it is there; else it is said that a new login would get in."""
    stage.run("sed -i 's/^docker:.*/&ali/' /etc/group; serve -- /run/docker.sock mode=0660 group=docker")
    with watching(stage, "/run/docker.sock") as watched, connected(stage, "/run/docker.sock", "--clear-groups"):
        assert watched.refusals(1)[0].endswith(": EACCES: ali lacks w on /run/docker.sock")
    with watching(stage, "/run/docker.sock") as watched:
        program = (sys.executable, "-ISc", CLIENT, "/run/docker.sock")
        stage.enter("setpriv", "--reuid", "ali", "--regid", "ali", "--clear-groups", *program)
        assert "has ended, and to a new login of ali the answer is ok: its groups" in watched.refusals(1)[0]


def test_each_name_of_the_socket_is_watched(stage: Stage) -> None:
    stage.run("mkdir /run/d; serve -- /run/d/s.sock mode=0600; ln -s /run/d /run/link; touch /run/other")
    stage.run("mount --bind /run/d/s.sock /run/other")
    with watching(stage, "/run/link/s.sock") as watched:
        assert connect(stage, "/run/d/s.sock") == "13"
        watched.refusals(1)
        assert connect(stage, "/run/d/../link/s.sock") == "13"
        watched.refusals(2)
        assert connect(stage, "other", inside=("sh", "-c", 'cd /run; exec "$@"', "sh")) == "13"
        last = watched.refusals(3)[2]
    assert last == "connect other (in /run): EACCES: ali lacks w on /run/other"


def test_a_container_that_has_the_socket_by_another_name_is_watched(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0600; mkdir /srv/box; touch /srv/box/app.sock")
    program = 'mount --bind /run/s.sock /srv/box/app.sock; mount --rbind /srv/box /mnt; exec "$@"'
    with watching(stage, "/run/s.sock") as watched:
        inside = ("unshare", "--mount", "sh", "-c", program, "sh")
        with connected(stage, "/mnt/app.sock", inside=inside):
            assert watched.refusals(1)[0].endswith("connect /mnt/app.sock: EACCES: ali lacks w on /mnt/app.sock")


def test_another_socket_of_the_same_name_is_not_meant(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0600; mkdir /srv/box; serve -- /srv/box/s.sock mode=0600")
    with watching(stage, "/run/s.sock") as watched:
        inside = ("unshare", "--mount", "sh", "-c", 'mount --bind /srv/box /run; exec "$@"', "sh")
        with connected(stage, "/run/s.sock", inside=inside), connected(stage, "/srv/box/s.sock"):
            assert connect(stage, "/run/s.sock", by="bob") == "13"
            (only,) = watched.refusals(1)
        assert only.endswith(": EACCES: bob lacks w on /run/s.sock")


def test_what_is_done_to_find_the_reason_is_no_refusal(stage: Stage) -> None:
    """The kernel is asked whether a socket is bound to the file, by a call that it refuses."""
    stage.run("dead /run/s.sock mode=0666")
    with watching(stage, "/run/s.sock") as watched:
        for count, user in enumerate(("ali", "bob"), 1):
            assert connect(stage, "/run/s.sock", by=user) == "111"
            assert watched.refusals(count)[-1].startswith("connect /run/s.sock: ECONNREFUSED: ")
        _, text = watched.ended()
    assert len(re.findall(r"^/run/s.sock", text, re.MULTILINE)) == 2, text


def test_who_gets_in_is_not_told_of(stage: Stage) -> None:
    stage.run("serve -- /run/s.sock mode=0666")
    with watching(stage, "/run/s.sock") as watched:
        assert connect(stage, "/run/s.sock") == "ok"
        status, text = watched.ended(signal.SIGTERM)
    assert (status, text) == (0, "harness: no call on a Unix socket failed\n")


def test_an_abstract_name_is_watched(stage: Stage) -> None:
    with watching(stage, "@nobody-is-there") as watched, connected(stage, "@nobody-is-there"):
        assert watched.refusals(1)[0].endswith(
            "connect @nobody-is-there: ECONNREFUSED: No stream socket has the abstract name @nobody-is-there"
        )


def rules() -> list[int]:
    with Kernel() as kernel:
        return [found.pid for each in kernel.rules() if (found := watcher(each)) is not None]


def test_the_audit_system_is_left_as_it_was(stage: Stage) -> None:
    with Kernel() as kernel:
        before = kernel.status()
    with watching(stage, "/run/s.sock") as first:
        assert first.process.pid in rules()
        with watching(stage, "/run/s.sock") as second:
            first.ended()
            with Kernel() as kernel:
                assert kernel.status().enabled == 1
            assert connect(stage, "/run/s.sock") == "2"
            second.refusals(1)
            second.ended()
    assert rules() == []
    with Kernel() as kernel:
        assert kernel.status() == before


def test_what_a_killed_watcher_left_is_cleared_by_the_next(stage: Stage) -> None:
    with Kernel() as kernel:
        before = kernel.status()
    with watching(stage, "/run/s.sock") as killed:
        killed.ended(signal.SIGKILL)
        assert rules() == [killed.process.pid]
    with watching(stage, "/run/s.sock") as watched:
        assert rules() == [watched.process.pid]
        watched.ended()
    assert rules() == []
    with Kernel() as kernel:
        assert kernel.status() == before


def test_that_nothing_more_is_seen_is_said(stage: Stage) -> None:
    known = machine()
    assert known is not None
    with Kernel() as kernel, watching(stage, "/run/s.sock") as watched:
        (found,) = [found for each in kernel.rules() if (found := watcher(each)) is not None]
        kernel.delete(rule(known, found.key))
        assert watched.process.wait(60) == 69
        assert watched.process.stderr is not None
        assert "nothing more is seen" in watched.process.stderr.read()


@pytest.mark.parametrize(
    ("become", "why"),
    [
        (("setpriv", "--reuid", "ali", "--regid", "ali", "--clear-groups"), "is for root of the whole machine"),
        (("unshare", "--user", "--map-root-user"), "answers in the first user and process namespaces alone"),
    ],
    ids=["ali", "another-user-namespace"],
)
def test_who_may_not_is_told_in_one_sentence(stage: Stage, become: tuple[str, ...], why: str) -> None:
    done = stage.enter(*become, sys.executable, "-m", "harness", "watch", "/run/s.sock")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (69, "", 1), done.stderr
    assert why in done.stderr


@pytest.mark.parametrize("path", ["", "@"])
def test_a_name_is_asked_for(stage: Stage, path: str) -> None:
    done = stage.enter(sys.executable, "-m", "harness", "watch", path)
    assert (done.returncode, done.stderr) == (
        2,
        "harness: watch takes the PATH of a socket, or @ and an abstract name\n",
    )
