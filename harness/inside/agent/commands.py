"""Commands that run in the place: started as a principal, fed, listened to, reaped.

A program of `harness.inside` is no command: it's called in a fork of the agent, which costs no start of an interpreter,
and imports and compiles nothing anew.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import selectors
import signal
import sys
from typing import TYPE_CHECKING

from harness.inside import loader
from harness.inside.agent.children import become_or_refuse
from harness.inside.agent.errors import RefusalError
from harness.inside.agent.inheritance import close_all_but, reset_signals
from harness.inside.agent.outside import Outside
from harness.inside.libc import PR_SET_PDEATHSIG, prctl

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from harness.inside.messages import (
        AgentMessage,
        CommandRequest,
        EncodedPrincipal,
        InputRequest,
        ProgramRequest,
        SignalRequest,
        Started,
    )


class Command:
    """A started command. `number` is what the harness calls it by."""

    def __init__(self, number: int, pid: int, stdin: int, outputs: dict[str, int]) -> None:
        self.number = number
        self.pid = pid
        self.stdin: int | None = stdin
        self.outputs = outputs
        self.waiting = b""
        self.input_ends = False


class Commands:
    """All that were started and have not been reaped. What they write and how they end goes to `say`."""

    def __init__(self, selector: selectors.BaseSelector, say: Callable[[AgentMessage], None]) -> None:
        self._selector = selector
        self._say = say
        self._running: dict[int, Command] = {}
        self._started = 0
        self._sources: dict[str, str] = {}

    def start(self, request: CommandRequest) -> Started:
        """Start a command as a principal. Raises RefusalError."""
        return self._start(lambda streams, report: _execute(request, streams, report))

    def call(self, request: ProgramRequest) -> Started:
        """Call a program as a principal. Raises RefusalError."""
        self._sources.update(request["sources"])
        sources = {name: self._sources[name] for name in request["modules"]}
        if Outside.descriptor is None:  # else the standard library is not to be had here
            loader.sent.add(sources)
            importlib.import_module(request["program"])
        return self._start(lambda streams, report: _call(request, sources, streams, report))

    def _start(self, become: Callable[[tuple[int, int, int], int], NoReturn]) -> Started:
        """Fork, and let the child become what it is to be, with these streams and where to report what fails."""
        (stdin, ours_in), (ours_out, stdout), (ours_err, stderr) = os.pipe(), os.pipe(), os.pipe()
        failed, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            # The descriptors that the child keeps must not lie where its streams go.
            high = [_above(descriptor) for descriptor in (stdin, stdout, stderr, report)]
            become((high[0], high[1], high[2]), high[3])
        for descriptor in (stdin, stdout, stderr, report):
            os.close(descriptor)
        with os.fdopen(failed, "rb") as file:
            said = file.read()
        if said:
            for descriptor in (ours_in, ours_out, ours_err):
                os.close(descriptor)
            raise RefusalError(said.decode())
        for descriptor in (ours_in, ours_out, ours_err):
            os.set_blocking(descriptor, False)
        self._started += 1
        command = Command(self._started, pid, ours_in, {"stdout": ours_out, "stderr": ours_err})
        self._running[pid] = command
        for stream, descriptor in command.outputs.items():
            self._selector.register(
                descriptor, selectors.EVENT_READ, lambda _, it=command, name=stream: self._forward(it, name)
            )
        return {"process": command.number, "pid": pid}

    def pass_input(self, request: InputRequest) -> None:
        """Pass text to a command's standard input, and close that afterwards if asked. Raises RefusalError."""
        command = self._numbered(request["process"])
        if command is None or command.stdin is None:
            raise RefusalError("the process no longer reads its standard input")
        command.waiting += os.fsencode(request["text"])
        command.input_ends = command.input_ends or request["end"]
        self._feed(command)

    def send_signal(self, request: SignalRequest) -> None:
        """Send a signal to a command that has not been reaped. Raises RefusalError."""
        command = self._numbered(request["process"])
        if command is None:
            raise RefusalError("the process has ended already")
        os.kill(command.pid, request["number"])

    def kill_all(self) -> None:
        """End them all, with what they have started in their sessions."""
        for command in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(command.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Wait for every process that has ended, a child of the agent's or an orphan."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            command = self._running.pop(pid, None)
            if command is not None:
                self._finish(command, os.waitstatus_to_exitcode(status))

    def _numbered(self, number: int) -> Command | None:
        return next((it for it in self._running.values() if it.number == number), None)

    def _feed(self, command: Command) -> None:
        assert command.stdin is not None
        registered = command.stdin in self._selector.get_map()
        try:
            while command.waiting:
                command.waiting = command.waiting[os.write(command.stdin, command.waiting) :]
        except BlockingIOError:
            if not registered:
                self._selector.register(command.stdin, selectors.EVENT_WRITE, lambda _: self._feed(command))
            return
        except BrokenPipeError:
            command.waiting, command.input_ends = b"", True
        if registered:
            self._selector.unregister(command.stdin)
        if command.input_ends:
            os.close(command.stdin)
            command.stdin = None

    def _forward(self, command: Command, stream: str) -> bool:
        """Pass on what a command wrote; False if there was nothing."""
        descriptor = command.outputs[stream]
        try:
            piece = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        if piece:
            text = os.fsdecode(piece)
            number = command.number
            self._say(
                {"process": number, "stdout": text} if stream == "stdout" else {"process": number, "stderr": text}
            )
            return True
        self._selector.unregister(descriptor)
        os.close(descriptor)
        del command.outputs[stream]
        return False

    def _finish(self, command: Command, status: int) -> None:
        for stream in list(command.outputs):
            while self._forward(command, stream):
                pass
            if stream in command.outputs:  # a descendant still holds it
                descriptor = command.outputs.pop(stream)
                self._selector.unregister(descriptor)
                os.close(descriptor)
        if command.stdin is not None:
            if command.stdin in self._selector.get_map():
                self._selector.unregister(command.stdin)
            os.close(command.stdin)
        self._say({"process": command.number, "exit": status})


def _above(descriptor: int) -> int:
    while descriptor < 10:
        descriptor = os.dup(descriptor)
    return descriptor


def _execute(request: CommandRequest, streams: tuple[int, int, int], report: int) -> NoReturn:
    """In the forked process: become the principal and run the command. What fails is written to `report`."""
    command = request["command"]
    try:
        _leave_the_agent(streams, report)
        os.umask(request["umask"])
        os.chdir(request["directory"])
        _become(request["principal"])
        os.execvpe(command[0], command, request["environment"])
    except RefusalError as failure:
        os.write(3, str(failure).encode())
    except OSError as error:
        what = error.filename or command[0]
        os.write(3, f"{command[0]} cannot be started: {what}: {error.strerror}".encode())
    finally:
        os._exit(127)


def _call(request: ProgramRequest, sources: dict[str, str], streams: tuple[int, int, int], report: int) -> NoReturn:
    """In the forked process: become the principal and call the program. What fails before is written to `report`."""
    status = 1
    try:
        _leave_the_agent(streams, report)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as in every Python
        os.umask(0o022)
        os.chdir("/")
        os.environ.clear()
        os.environ.update(request["environment"])
        loader.sent.sources = {}  # what the program sends on is its own
        loader.sent.add(sources)
        program = importlib.import_module(request["program"])
        _become(request["principal"])
        os.close(3)
        program.main(**request["arguments"])
        sys.stdout.flush()
        status = 0
    except RefusalError as failure:
        os.write(3, str(failure).encode())
    except BaseException as failure:
        os.write(2, f"{type(failure).__name__}: {failure}\n".encode())
    finally:
        os._exit(status)


def _leave_the_agent(streams: tuple[int, int, int], report: int) -> None:
    """Keep nothing of the agent but these descriptors, the last as number 3."""
    os.setsid()
    reset_signals()
    Outside.enter()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.dup2(report, 3, inheritable=False)
    close_all_but(0, 1, 2, 3)


def _become(principal: EncodedPrincipal) -> None:
    """Be the principal. Raises RefusalError."""
    become_or_refuse(principal)
    if sys.platform == "linux":  # where no namespace ends with the agent, its commands do
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
