"""A command that is followed ends as it would without, and each of its failures on a socket is told."""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.trace.calls import machine
from tests.helpers.deadline import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ptrace(2) as Linux has it")

FOLLOW = """
import json, os, sys
from harness.trace.command import end_alike, run
from harness.trace.error import CommandError, TraceError
said = open(sys.argv[1], "a")
def failed(call):
    said.write(json.dumps([call.name, call.outcome, call.path, call.to, call.base, call.type]) + "\\n")
    said.flush()
def ended(shorn):
    said.write(json.dumps(["end", shorn]) + "\\n")
    said.flush()
try:
    status = run(sys.argv[2:], failed, ended)
except CommandError as error:
    print(error, file=sys.stderr)
    sys.exit(error.status)
except TraceError as error:
    sys.exit(69)
sys.exit(end_alike(status))
"""


class Followed:
    """A run of a command that is followed: how it ended, what it wrote, what was told."""

    def __init__(self, told: Path, *command: str, text: str | None = None) -> None:
        self.done = subprocess.run(
            [sys.executable, "-c", FOLLOW, str(told), *command], capture_output=True, text=True, input=text, check=False
        )
        self.told = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
        self.calls = [row for row in self.told if row[0] != "end"]


def started(told: Path, *command: str, **options: Any) -> subprocess.Popen[str]:
    """One that has been called."""
    return subprocess.Popen([sys.executable, "-c", FOLLOW, str(told), *command], text=True, **options)


def may_take_all_of_a_cpu() -> bool:
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return False
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, policy, parameters)
    return True


@pytest.fixture
def told(tmp_path: Path) -> Path:
    return tmp_path / "told"


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-ISc", f"import errno, os, socket, sys, threading\n{program}")


def test_what_it_reads_and_writes_and_its_status_are_its_own(told: Path) -> None:
    ran = Followed(told, "sh", "-c", "cat; echo no >&2; exit 7", text="some\n")
    assert (ran.done.returncode, ran.done.stdout, ran.done.stderr) == (7, "some\n", "no\n")
    assert ran.told == [["end", {}]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_it_ends_by_the_signal_that_ended_it(told: Path, number: signal.Signals) -> None:
    assert Followed(told, "sh", "-c", f"kill -{number:d} $$").done.returncode == -number


def test_what_is_not_there_is_said_as_env_says_it(told: Path, tmp_path: Path) -> None:
    missing = Followed(told, "no-such-command")
    assert (missing.done.returncode, missing.done.stderr) == (
        127,
        "no-such-command can't be started: No such file or directory\n",
    )
    closed = Followed(told, str(tmp_path))
    assert closed.done.returncode == 126
    assert [*missing.told, *closed.told] == []


def test_each_call_that_fails_is_told_with_its_path_and_errno(told: Path, tmp_path: Path) -> None:
    """Each beside one that succeeds, of which nothing is told, and one of another family."""
    program = f"""
os.chdir({str(tmp_path)!r})
def fails(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        return
    sys.exit(1)
server = socket.socket(socket.AF_UNIX)
server.bind("live")
server.listen()
socket.socket(socket.AF_UNIX).connect("live")
fails(socket.socket(socket.AF_UNIX).connect, "gone")
fails(socket.socket(socket.AF_UNIX).connect, "@gone")
fails(socket.socket(socket.AF_UNIX).connect, "\\0nobody-has-this")
fails(socket.socket(socket.AF_UNIX).bind, "live")
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
fails(sender.sendto, b"x", "live")
fails(sender.sendmsg, [b"x"], [], 0, {str(tmp_path / "away")!r})
fails(os.rename, "live", "nowhere/live")
fails(os.chmod, "gone", 0o600)
fails(os.unlink, "missing")
fails(socket.create_connection, ("127.0.0.1", 1))
here = os.open(".", os.O_RDONLY)
os.mkdir("elsewhere")
os.chdir("elsewhere")
os.rename("live", "other", src_dir_fd=here, dst_dir_fd=here)
fails(lambda: os.unlink("gone", dir_fd=here))
"""
    ran = Followed(told, *python(program))
    assert ran.done.returncode == 0, ran.done.stderr
    here = str(tmp_path)
    stream, dgram = int(socket.SOCK_STREAM), int(socket.SOCK_DGRAM)
    assert [[name, outcome, path, to, base, kind] for name, outcome, path, to, base, kind in ran.calls] == [
        ["connect", "ENOENT", "gone", None, here, stream],
        ["connect", "ENOENT", "./@gone", None, here, stream],
        ["connect", "ECONNREFUSED", "@nobody-has-this", None, None, stream],
        ["bind", "EADDRINUSE", "live", None, here, stream],
        ["sendto", "EPROTOTYPE", "live", None, here, dgram],
        ["sendmsg", "ENOENT", f"{here}/away", None, None, dgram],
        ["rename", "ENOENT", "live", "nowhere/live", here, None],
        ["chmod", "ENOENT", "gone", None, here, None],
        ["unlinkat", "ENOENT", "gone", None, here, None],
    ]


def test_threads_and_children_and_what_they_execute_are_followed(told: Path, tmp_path: Path) -> None:
    program = f"""
def fail(name):
    try:
        socket.socket(socket.AF_UNIX).connect(os.path.join({str(tmp_path)!r}, name))
    except OSError:
        pass
thread = threading.Thread(target=fail, args=("thread",))
thread.start()
thread.join()
if os.fork() == 0:
    fail("child")
    program = "import socket; socket.socket(1).connect({str(tmp_path / "image")!r})"
    os.execv(sys.executable, [sys.executable, "-ISc", program])
print(os.wait()[1])
"""
    ran = Followed(told, *python(program))
    assert ran.done.stdout == "256\n"
    assert [Path(row[2]).name for row in ran.calls] == ["thread", "child", "image"]


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGTERM", "SIGALRM", "SIGWINCH", "SIGRTMIN"])
def test_a_signal_that_is_sent_to_who_follows_comes_to_the_command(told: Path, name: str) -> None:
    program = f"import signal; signal.signal(signal.{name}, lambda *_: sys.exit(5)); print('ready', flush=True)\n"
    program += "while True: signal.pause()"
    running = started(told, *python(program), stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(getattr(signal, name))
    assert running.wait(60) == 5
    running.stdout.close()


def begun(running: subprocess.Popen[str]) -> int:
    """The process that follows, as soon as it is there."""
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while not (found := children.read_text().split()):
        assert running.poll() is None
    return int(found[0])


@pytest.mark.parametrize("moment", range(10))
def test_a_signal_that_is_sent_before_the_command_runs_is_not_lost(told: Path, moment: int) -> None:
    running = started(told, "sleep", "1000")
    begun(running)
    until_later = time.monotonic() + moment / 2000
    while time.monotonic() < until_later:
        pass
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("killed", ["who was called", "who follows"])
def test_without_who_follows_it_nothing_runs(told: Path, tmp_path: Path, killed: str) -> None:
    """Whoever is killed while it begins: the command's own calls would fail, since it has the filter."""
    for attempt in range(20):
        ran = tmp_path / f"ran{attempt}"
        reading, writing = os.pipe()
        running = started(told, "sh", "-c", f"grep TracerPid /proc/self/status > {ran}; sleep 1000", pass_fds=[writing])
        os.close(writing)
        follower = begun(running)
        os.kill(running.pid if killed == "who was called" else follower, signal.SIGKILL)
        assert running.wait(60) == (-signal.SIGKILL if killed == "who was called" else 69)
        assert select.select([reading], [], [], 60)[0], "something goes on"
        assert os.read(reading, 1) == b"", "all of its processes have ended"
        os.close(reading)
        assert not ran.exists() or not ran.read_text().endswith("\t0\n")


def test_its_status_is_told_to_who_ignores_children_and_so_does_the_command(told: Path) -> None:
    program = "import signal; print(signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN); sys.exit(7)"
    ignoring = f"import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); {FOLLOW.strip()}"
    ran = subprocess.run(
        [sys.executable, "-c", ignoring, str(told), *python(program)], stdout=subprocess.PIPE, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (7, "True\n")


def test_who_called_stops_with_the_command_and_goes_on_with_it(told: Path) -> None:
    running = started(told, "sh", "-c", "echo $$; kill -STOP $$; exit 6", stdout=subprocess.PIPE)
    assert running.stdout is not None
    command = int(running.stdout.readline())
    _, status = os.waitpid(running.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "a shell would see that the job has stopped"
    os.kill(command, signal.SIGCONT)
    assert running.wait(60) == 6
    running.stdout.close()


def test_a_script_that_names_no_interpreter_is_the_shells(told: Path, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0 $1"; exit 3\n')
    script.chmod(0o755)
    ran = Followed(told, str(script), "word")
    assert (ran.done.returncode, ran.done.stdout) == (3, f"{script} word\n")


FILTER = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
def take(number, returned, flags=0):
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, returned), (6, 0, 0, 0x7fff0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.syscall(SECCOMP, 1, flags, program) == 0
"""


def filtering(program: str) -> tuple[str, ...]:
    known = machine()
    assert known is not None
    numbers = {name.upper(): number for name, number in known.numbers.items()}
    given = "\n".join(f"{name} = {number}" for name, number in numbers.items())
    return python(f"{given}\n{FILTER}\n{program}")


def test_a_filter_that_the_kernel_does_not_take_is_no_matter_of_who_follows(told: Path) -> None:
    program = "print(libc.prctl(22, 2, None), libc.syscall(SECCOMP, 1, 0, None))"
    ran = Followed(told, *filtering(program))
    assert (ran.done.returncode, ran.done.stdout, ran.told) == (0, "-1 -1\n", [["end", {}]])


def test_a_pointer_to_nowhere_is_no_matter_of_who_follows(told: Path) -> None:
    program = "print(libc.syscall(UNLINKAT, -100, ctypes.c_void_p(-1), 0), errno.errorcode[ctypes.get_errno()])"
    ran = Followed(told, *filtering(program))
    assert (ran.done.returncode, ran.done.stdout, ran.told) == (0, "-1 EFAULT\n", [["end", {}]])


def test_what_a_filter_of_its_own_leaves_to_who_follows_fails_as_without(told: Path, tmp_path: Path) -> None:
    """SECCOMP_RET_TRACE: with nobody who asked for these stops the call is ENOSYS, and is not made."""
    program = f"""
take(CONNECT, 0x7ff00000)
print(libc.syscall(CONNECT, 0, None, 0), errno.errorcode[ctypes.get_errno()])
take(UNLINKAT, 0x7ff00000)
print(libc.syscall(UNLINKAT, -100, {os.fsencode(tmp_path / "file")!r}, 0), errno.errorcode[ctypes.get_errno()])
"""
    (tmp_path / "file").touch()
    ran = Followed(told, *filtering(program))
    assert (ran.done.returncode, ran.done.stdout) == (0, "-1 ENOSYS\n-1 ENOSYS\n"), ran.done.stderr
    assert (tmp_path / "file").exists()


def test_a_filter_that_all_threads_take_is_seen_in_each(told: Path, tmp_path: Path) -> None:
    program = f"""
taken, done = threading.Event(), threading.Event()
def other():
    done.set()
    taken.wait()
    try:
        socket.socket(1).connect({str(tmp_path / "s")!r})
    except PermissionError:
        print("refused")
thread = threading.Thread(target=other)
thread.start()
done.wait()
take(CONNECT, 0x50001, flags=1)
taken.set()
thread.join()
"""
    ran = Followed(told, *filtering(program))
    assert (ran.done.returncode, ran.done.stdout) == (0, "refused\n"), ran.done.stderr
    assert [[name, outcome] for name, outcome, *_ in ran.calls] == [["connect", "EPERM"]]


def test_a_command_that_stops_goes_on_when_it_is_told_to(told: Path) -> None:
    program = "import signal; print(os.getpid(), flush=True); os.kill(os.getpid(), signal.SIGSTOP); print('on')"
    running = started(told, *python(program), stdout=subprocess.PIPE)
    assert running.stdout is not None
    pid = int(running.stdout.readline())
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "tT":
        pass
    os.kill(pid, signal.SIGCONT)
    assert running.stdout.read() == "on\n"
    assert running.wait(60) == 0
    running.stdout.close()


def test_what_a_command_leaves_running_keeps_nobody_waiting_and_goes_on(told: Path, tmp_path: Path) -> None:
    """A daemon's calls are the kernel's business still: without who follows, the filter would fail them (ENOSYS)."""
    path, answer = tmp_path / "s", tmp_path / "answer"
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = f"""
if os.fork() == 0:
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    open({str(fifo)!r}).read()  # until the command has ended
    try:
        socket.socket(socket.AF_UNIX).connect({str(path)!r})
        said = "ok"
    except OSError as error:
        said = errno.errorcode[error.errno]
    with open({str(answer)!r}, "w") as file:
        file.write(said)
    os._exit(0)
print("over")
"""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        ran = Followed(told, *python(program))
        assert (ran.done.returncode, ran.done.stdout) == (0, "over\n")
        until(lambda: goes_on(fifo), "what was left running waits for the command's end")
        until(lambda: answer.exists() and answer.read_text(), "what was left running has connected")
    assert answer.read_text() == "ok"


@pytest.mark.skipif(not may_take_all_of_a_cpu(), reason="needs two CPUs and CAP_SYS_NICE, to hold one of them")
def test_what_is_left_running_goes_on_even_if_it_had_not_begun_to_run_when_the_command_ended(
    told: Path, tmp_path: Path
) -> None:
    """On a busy machine a child may get its first turn later than its parent ends. Here that is made so."""
    fifo = tmp_path / "fifo"
    cpu = min(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    os.mkfifo(fifo)
    program = f"""
os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(2))
os.sched_setaffinity(0, {{{cpu}}})
if os.fork() == 0:
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    open({str(fifo)!r}).read()
    os._exit(0)
"""
    holding = f"os.sched_setaffinity(0, {{{cpu}}}); os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    with subprocess.Popen(
        [*python(f"{holding}; print('holds it', flush=True)\nwhile True: pass")], stdout=subprocess.PIPE, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "holds it\n"
            ran = Followed(told, *python(program))
        finally:
            holder.kill()
    assert ran.done.returncode == 0, ran.done.stderr
    until(lambda: goes_on(fifo), "what was left running goes on")


def test_what_is_left_running_in_a_session_of_its_own_outlives_the_commands(told: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = f"""
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    os.close(reading)
    os.write(writing, b"in a session of its own")
    open({str(fifo)!r}).read()
    os._exit(0)
os.read(reading, 1)
"""
    running = started(told, *python(program), start_new_session=True)
    assert running.wait(60) == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    until(lambda: goes_on(fifo), "what was left running goes on")


def goes_on(fifo: Path) -> bool:
    """Let who reads this FIFO go on; whether there is somebody."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    return True


def test_it_dies_with_who_called_it(told: Path) -> None:
    program = "import signal; print(os.getpid(), flush=True); signal.pause()"
    running = started(told, *python(program), stdout=subprocess.PIPE)
    assert running.stdout is not None
    handle = os.pidfd_open(  # type: ignore[attr-defined,unused-ignore]
        int(running.stdout.readline())
    )
    running.kill()
    running.wait(60)
    assert select.select([handle], [], [], 60)[0], "the command goes on"
    os.close(handle)
    running.stdout.close()
