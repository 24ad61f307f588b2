"""The `observatory` command as a process of its own, forked from one that has imported what most commands need.

It is no other process for that: it has its own arguments, environment, descriptors, signals and end. That Python starts
and finds the command's modules, the tests show that start it as anyone does (`observatory_command.command`). Run as a
program, this module is the process that forks.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from observatory.cli.main import main
from tests.helpers.observatory_command import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
FORKS: Final = sys.platform == "linux"
"""Whether a process can be waited for that is no child of this one's."""
IMPORTED: Final = (
    "observatory.cli.serve",
    "observatory.redaction.redactor",
    "observatory.service.assembly",
    "observatory.service.outputs.standard_streams",
)
_MOST_BYTES: Final = 128 * 1024
_MOST_DESCRIPTORS: Final = 32
_BEYOND: Final = 64
"""Descriptors from this number on are nobody's in the new process while its own get their numbers."""


class ForkedCommand:
    """One that runs, with what tests use of `subprocess.Popen`, by the same names."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.returncode: int | None = None
        self.stderr: IO[bytes] | None = None
        request = {"arguments": arguments, "environment": dict(environment), "numbers": [0, 1, 2, *pass_fds]}
        with contextlib.ExitStack() as given:
            nothing = given.enter_context(Path(os.devnull).open("r+b"))
            if stderr == subprocess.PIPE:
                reading, writing = os.pipe()
                self.stderr = os.fdopen(reading, "rb")
                stderr = given.enter_context(os.fdopen(writing, "wb"))
            files = [nothing, *(nothing if each == subprocess.DEVNULL else each for each in (stdout, stderr))]
            numbers = [each if isinstance(each, int) else each.fileno() for each in files]
            self.pid = _parent().asked(request, [*numbers, *pass_fds])
        self._handle = _handle(self.pid)

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, when it has ended."""
        if self.returncode is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("observatory", timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[None, bytes]:
        """What it says until its end, on standard error."""
        assert self.stderr is not None
        with self.stderr:
            said = self.stderr.read()
        self.wait(timeout)
        return None, said

    def wait_until_stopped(self) -> None:
        """Wait until a SIGSTOP that was sent has stopped it."""
        _parent().asked({"stopped": self.pid})

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)  # it is nobody else's number before it has been asked for its exit status

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = _parent().asked({"ended": self.pid})
        os.close(self._handle)


def run(arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """The command from its beginning to its end, and what it wrote."""
    if not FORKS:
        words = command(*arguments)
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        status = ForkedCommand(arguments, environment, stdout=output, stderr=errors).wait(timeout)
        for file in (output, errors):
            file.seek(0)
        return subprocess.CompletedProcess(arguments, status, output.read().decode(), errors.read().decode())


class _Parent:
    """The process that forks: one for all commands of this one, and gone with it."""

    def __init__(self) -> None:
        self._control, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with there:
            words = [sys.executable, "-m", __name__, str(there.fileno())]
            process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()])
        atexit.register(process.wait)
        atexit.register(self._control.close)  # before the above

    def asked(self, request: Mapping[str, Any], descriptors: Sequence[int] = ()) -> int:
        """What it answers: the pid of a command that was asked for or stopped, or the exit status of one that ended."""
        if descriptors:
            request = {**request, "directory": os.getcwd()}
        with self._lock:
            socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)
            return int(self._control.recv(64))


def _handle(pid: int) -> int:
    """A descriptor that can be read from when that process has ended."""
    if sys.platform != "linux":
        raise NotImplementedError
    return os.pidfd_open(pid)


@functools.cache
def _parent() -> _Parent:
    return _Parent()


def _fork_when_asked(control: socket.socket) -> int:
    """The exit status of this process: of a command in each that was forked."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, _MOST_BYTES, _MOST_DESCRIPTORS)
        if not data:
            return 0
        request = json.loads(data)
        if "ended" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["ended"], 0)[1])
        elif "stopped" in request:
            answer, _ = os.waitpid(request["stopped"], os.WUNTRACED)
        else:
            answer = os.fork()
            if answer == 0:
                control.close()
                return _command(request, descriptors)
            for number in descriptors:
                os.close(number)
        control.send(b"%d" % answer)


def _command(request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
    """Be the command that is asked for."""
    aside = [fcntl.fcntl(number, fcntl.F_DUPFD, _BEYOND) for number in descriptors]
    for number in descriptors:
        os.close(number)
    for source, number in zip(aside, request["numbers"], strict=True):
        os.dup2(source, number)
        os.close(source)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv[1:] = request["arguments"]
    return main()


if __name__ == "__main__":
    sys.exit(_fork_when_asked(socket.socket(fileno=int(sys.argv[1]))))
