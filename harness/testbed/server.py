"""A server that was started: the process that serves, what it says, where it answers."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from harness.world import ROOT

if TYPE_CHECKING:
    from harness.engines.protocol import Completed, Place, Process
    from harness.inside.reports import Launch, Supervised

SUPERVISOR = "harness.inside.supervisor"
STARTING = 30.0
"""Seconds for the supervisor itself to come, on a busy machine."""
TAIL = 400
"""Characters of a log that a sentence may quote."""


class StartError(Exception):
    """A server that did not start, in one sentence."""


class ServerProcess:
    """The process that serves: implements `harness.engines.protocol.Process`.

    `pid` is that of the command, and once the server is found that of the server. It has ended when all that was
    started has, which `supervisor`, a process above them all, waits for.
    """

    def __init__(self, supervisor: Process, pid: int) -> None:
        self._supervisor = supervisor
        self.supervisor = supervisor.pid
        self.pid = pid

    def read_line(self, stream: Literal["stdout", "stderr"] = "stdout", timeout: float = 10.0) -> str:
        """The next line of what it says; see `harness.engines.protocol.Process.read_line`."""
        return self._supervisor.read_line(stream, timeout)

    def send(self, text: str) -> None:
        """Nothing reads its standard input. Raises BrokenPipeError."""
        del text
        raise BrokenPipeError("a server under test has nothing on its standard input")

    def close_input(self) -> None:
        """Its standard input is /dev/null."""

    def signal(self, number: int) -> None:
        """Send it a signal. Raises ProcessLookupError if all has ended."""
        try:
            self._supervisor.send(f"{self.pid} {int(number)}\n")
        except BrokenPipeError:
            raise ProcessLookupError(f"the process {self.pid} has ended already") from None

    def wait(self, timeout: float = 10.0) -> Completed:
        """Wait for the end of all that was started. Raises TimeoutError."""
        return self._supervisor.wait(timeout)


def start(place: Place, order: Launch) -> ServerProcess:
    """Start a server below a supervisor. Raises StartError if the command can't be run."""
    supervisor = place.call(SUPERVISOR, ROOT, order=order)
    try:
        said: Supervised = json.loads(supervisor.read_line(timeout=STARTING))
    except EOFError:
        words = supervisor.wait().stderr.strip().splitlines()
        raise StartError(f"it could not be started: {words[-1] if words else 'nothing says why'}") from None
    return ServerProcess(supervisor, said["pid"])


class RunningServer:
    """A server that was started. `endpoint` is where it answers, once it does; `stop` is the signal that ends it."""

    def __init__(self, process: ServerProcess, endpoint: str, stop: int) -> None:
        self.process = process
        self.endpoint = endpoint
        self.stop = stop
        self.killed = self.told_to_end = False
        self._events: dict[str, dict[str, Any]] = {}
        self._heard: list[str] = []

    @property
    def pid(self) -> int:
        """The pid of the server as the place numbers it."""
        return self.process.pid

    @property
    def supervisor(self) -> int:
        """The pid of the process under which all of this start is."""
        return self.process.supervisor

    def own_end(self, done: Completed) -> str:
        """How it ended without having been told to, and what it said: the end of a sentence."""
        how = f"by {signal.Signals(-done.status).name}" if done.status < 0 else f"with status {done.status}"
        said = self._said(done)
        return how + (f"; it said: {said}" if said else "")

    def event(self, token: str, seconds: float) -> dict[str, Any] | None:
        """The JSON line on standard output that carries the token, or `None` if it does not come."""
        while token not in self._events:
            try:
                self._take(self.process.read_line("stdout", timeout=seconds))
            except (TimeoutError, EOFError):
                return None
        return self._events[token]

    def says(self, pattern: str, seconds: float) -> bool:
        """Wait until a line on either stream fits a regular expression."""
        until = monotonic() + seconds
        while monotonic() < until:
            streams: tuple[Literal["stderr"], Literal["stdout"]] = ("stderr", "stdout")
            for stream in streams:
                with contextlib.suppress(TimeoutError, EOFError):
                    line = self.process.read_line(stream, timeout=0.05)
                    self._take(line)
                    if re.search(pattern, line):
                        return True
        return False

    def _take(self, line: str) -> None:
        self._heard.append(line)
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("session_id"), str):
                # The first: a server may tell later that the session has died.
                self._events.setdefault(event["session_id"], event)

    def last_words(self, done: Completed) -> str:
        """The end of what it said, once it has ended, for a sentence."""
        if said := self._said(done):
            return f"it said: {said}"
        return "it said nothing" + ("" if self.killed else f" (exit status {done.status})")

    def _said(self, done: Completed) -> str:
        words = "\n".join(self._heard) + "\n" + (done.stderr.strip() or done.stdout.strip())
        return " ".join(words.split())[-TAIL:]
