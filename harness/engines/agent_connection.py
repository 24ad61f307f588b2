"""The harness's end of an agent's streams: requests out, answers and news in."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from harness.engines.protocol import Completed, PlaceError
from harness.inside.rows import EncodedObservation

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.messages import (
        AgentFacts,
        AgentMessage,
        AttemptRequest,
        CommandRequest,
        EncodedWorld,
        ProgramRequest,
        Request,
        Started,
    )

T = TypeVar("T")
Stream = Literal["stdout", "stderr"]
SAID = 2000
"""Characters at the end of a process's output that are part of what is said of it."""


class Transport(Protocol):
    """Two byte streams, to and from a Python in a place that runs `harness.engines.bundle.START`."""

    def read(self) -> bytes:
        """What has come, at least one byte; empty at the end."""
        ...

    def write(self, data: bytes) -> None:
        """Pass everything on. Raises OSError if nobody reads."""
        ...

    def close(self) -> None:
        """End both streams: the place goes away."""
        ...

    def diagnosis(self) -> str:
        """What was said beside the streams (standard error), for a place that ended by itself."""
        ...


class AgentConnection:
    """An agent that answers. `facts` is what it says of its kernel. Raises PlaceError if it doesn't come.

    `deliveries` are the programs that begin one after the other, the agent last, as `harness.engines.bundle.delivery`
    makes them. `slowness`: how many times longer than usual to wait for processes, in a place that is emulated.
    """

    def __init__(self, transport: Transport, *deliveries: str, patience: float = 60.0, slowness: float = 1.0) -> None:
        self._transport = transport
        self.slowness = slowness
        self._numbers = itertools.count(1)
        self._writing = threading.Lock()
        self._changed = threading.Condition()
        self._answers: dict[int, AgentMessage] = {}
        self._processes: dict[int, AgentProcess] = {}
        self._ended = False
        self._facts: AgentFacts | None = None
        self._reader = threading.Thread(target=self._read, name="harness-agent", daemon=True)
        self._reader.start()
        try:
            with contextlib.suppress(OSError):  # whoever ended it says why on standard error
                transport.write("".join(deliveries).encode())
            self.facts = self._await(lambda: self._facts, patience, "start")
        except BaseException:
            self.close()
            raise

    def build(self, world: EncodedWorld) -> None:
        """Have a world made. Raises PlaceError with the agent's sentence, as all that follows."""
        self.request({"do": "build", "world": world})

    def attempt(self, request: AttemptRequest) -> list[EncodedObservation]:
        """Have attempts made."""
        return list(map(EncodedObservation._make, self.request(request)))

    def receive_grid(self, number: int) -> list[list[str]]:
        """The answer to a `GridRequest`."""
        found: list[list[str]] = self.receive(number)
        return found

    def start(self, request: CommandRequest | ProgramRequest) -> AgentProcess:
        """Start a process in the place."""
        started: Started = self.request(request)
        return self._process(started["process"], started["pid"])

    def request(self, request: Request) -> Any:
        """Ask and wait: what is done, of the type that the request says."""
        return self.receive(self.send(request))

    def send(self, request: Request) -> int:
        """Ask, and be told the number with which to `receive` the answer."""
        number = next(self._numbers)
        data = json.dumps({"id": number, **request}).encode() + b"\n"
        try:
            with self._writing:
                self._transport.write(data)
        except (OSError, ValueError):
            raise PlaceError(self._obituary()) from None
        return number

    def receive(self, number: int, *, patience: float = 600.0) -> Any:
        """The answer to a request. Raises PlaceError with the agent's sentence if it failed."""

        def answered() -> AgentMessage | None:
            return self._answers.pop(number, None)

        answer = self._await(answered, patience, "answer")
        if "failed" in answer:
            raise PlaceError(answer["failed"])
        return answer.get("done")

    def close(self) -> None:
        """End the place."""
        self._transport.close()
        if threading.current_thread() is not self._reader:
            self._reader.join(10)

    def _await(self, ready: Callable[[], T | None], patience: float, what: str) -> T:
        with self._changed:
            until = monotonic() + patience
            while (found := ready()) is None:
                if self._ended:
                    raise PlaceError(self._obituary())
                if not self._changed.wait(until - monotonic()) and monotonic() >= until:
                    raise PlaceError(f"the agent in the place did not {what} within {patience:.0f} s")
            return found

    def _obituary(self) -> str:
        said = self._transport.diagnosis().strip()
        return f"the place has ended: {said.splitlines()[-1]}" if said else "the place has ended"

    def _process(self, number: int, pid: int | None = None) -> AgentProcess:
        with self._changed:
            process = self._processes.get(number)
            if process is None:
                process = self._processes[number] = AgentProcess(self, number)
            if pid is not None:
                process.pid = pid
            return process

    def _read(self) -> None:
        buffer = bytearray()
        while True:
            try:
                piece = self._transport.read()
            except (OSError, ValueError):
                piece = b""
            if not piece:
                break
            buffer += piece
            if b"\n" in piece:
                *lines, rest = buffer.split(b"\n")
                buffer = bytearray(rest)
                for line in lines:
                    self._take(json.loads(line))
        with self._changed:
            self._ended = True
            for process in self._processes.values():
                process.lost()
            self._changed.notify_all()

    def _take(self, message: AgentMessage) -> None:
        if "process" in message:
            self._process(message["process"]).take(message)
            return
        with self._changed:
            if "ready" in message:
                self._facts = message["ready"]
            elif "id" in message:
                self._answers[message["id"]] = message
            self._changed.notify_all()


class AgentProcess:
    """A process in a place: implements `harness.engines.protocol.Process`."""

    def __init__(self, connection: AgentConnection, number: int) -> None:
        self.pid = 0
        self._connection = connection
        self._number = number
        self._changed = threading.Condition()
        self._partial: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._lines: dict[str, deque[str]] = {"stdout": deque(), "stderr": deque()}
        self._status: int | None = None
        self._lost = False

    def take(self, message: AgentMessage) -> None:
        """News of this process from the agent."""
        with self._changed:
            self._take_output("stdout", os.fsencode(message.get("stdout", "")))
            self._take_output("stderr", os.fsencode(message.get("stderr", "")))
            self._status = message.get("exit", self._status)
            self._changed.notify_all()

    def lost(self) -> None:
        """The place has ended, and this process with it."""
        with self._changed:
            self._lost = True
            self._changed.notify_all()

    def _take_output(self, stream: str, data: bytes) -> None:
        partial = self._partial[stream]
        partial += data
        *lines, rest = partial.split(b"\n")
        self._lines[stream].extend(line.decode(errors="replace") for line in lines)
        self._partial[stream] = bytearray(rest)

    def _text(self, stream: str) -> str:
        rest = self._partial[stream].decode(errors="replace")
        return "".join(line + "\n" for line in self._lines[stream]) + rest

    @property
    def _over(self) -> bool:
        return self._status is not None or self._lost

    def read_line(self, stream: Stream = "stdout", timeout: float = 10.0) -> str:
        """The next line without its newline. Raises TimeoutError (with what was read so far), or EOFError."""
        timeout *= self._connection.slowness
        with self._changed:
            lines = self._lines[stream]
            if not self._changed.wait_for(lambda: lines or self._over, timeout):
                raise TimeoutError(f"no line on {stream} within {timeout} s; {self._so_far()}")
            if lines:
                return lines.popleft()
            if self._partial[stream]:
                rest = self._partial[stream].decode(errors="replace")
                self._partial[stream].clear()
                return rest
            raise EOFError(f"{stream} has ended; {self._so_far()}")

    def _so_far(self) -> str:
        state = "the place is gone" if self._lost else "it runs" if self._status is None else f"exit {self._status}"
        return f"{state}; stdout: {self._text('stdout')[-SAID:]!r}; stderr: {self._text('stderr')[-SAID:]!r}"

    def send(self, text: str) -> None:
        """Write to the process's standard input. Raises BrokenPipeError if it is closed."""
        self._input(text, end=False)

    def close_input(self) -> None:
        """Close the process's standard input."""
        if not self._over:
            with contextlib.suppress(BrokenPipeError):
                self._input("", end=True)

    def _input(self, text: str, *, end: bool) -> None:
        try:
            self._connection.request({"do": "input", "process": self._number, "text": text, "end": end})
        except PlaceError as error:
            raise BrokenPipeError(str(error)) from None

    def signal(self, number: int) -> None:
        """Send a signal. Raises ProcessLookupError if the process has ended."""
        if self._over:
            raise ProcessLookupError(f"the process {self.pid} has ended already")
        try:
            self._connection.request({"do": "signal", "process": self._number, "number": int(number)})
        except PlaceError as error:
            raise ProcessLookupError(str(error)) from None

    def wait(self, timeout: float = 10.0) -> Completed:
        """Wait for the end. Raises TimeoutError; PlaceError if the place ended first."""
        timeout *= self._connection.slowness
        with self._changed:
            if not self._changed.wait_for(lambda: self._over, timeout):
                raise TimeoutError(f"the process {self.pid} did not end within {timeout} s; {self._so_far()}")
            if self._status is None:
                raise PlaceError(f"the place ended before its process {self.pid}; {self._so_far()}")
            return Completed(self._status, self._text("stdout"), self._text("stderr"))
