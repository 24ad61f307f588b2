"""The agent: builds worlds inside a place, tries what their users try, and runs processes there.

It runs as root inside the place and speaks JSON lines on its standard streams: `harness.inside.messages` says which.
A request is `{"id": N, "do": NAME, ...}`; its answer is `{"id": N, "done": ...}` or `{"id": N, "failed": SENTENCE}`.
What started processes write and how they end comes as `{"process": N, "stdout": TEXT}` and `{"process": N, "exit":
STATUS}`. When its input ends, it ends, and as the first process of the place (or watched by it) it takes the place
along.

One child for each principal stays alive and makes that principal's attempts; the agent itself holds the sockets.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
from typing import TYPE_CHECKING

from harness.inside.agent.commands import Commands
from harness.inside.agent.errors import EndOfInput, RefusalError
from harness.inside.agent.facts import facts
from harness.inside.agent.grid import GridChildren
from harness.inside.agent.rounds import Rounds
from harness.inside.agent.world import Builder

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from harness.inside.messages import (
        AgentMessage,
        AttemptRequest,
        BuildRequest,
        CommandRequest,
        GridRequest,
        InputRequest,
        ProgramRequest,
        SignalRequest,
        Started,
    )
    from harness.inside.rows import EncodedObservation


def turn(selector: selectors.BaseSelector) -> None:
    """Wait for something, and call whom it concerns with its descriptor."""
    for key, _ in selector.select():
        # An earlier event of this turn may have ended it, and another descriptor may have its number since.
        if selector.get_map().get(key.fd) is key:
            key.data(key.fd)


class Agent:
    """The main loop: requests in, answers and news out."""

    def __init__(self, staying: Sequence[str] = ()) -> None:
        """`staying`: directories that can't be renamed there."""
        self.facts = facts(staying)
        self._selector = selectors.DefaultSelector()
        self._input: list[bytes] = []
        self._builder = Builder()
        self._commands = Commands(self._selector, self._say)
        protected = bool(self.facts["sysctls"].get("fs.protected_symlinks"))
        self._rounds = Rounds(self._builder, self._builder.networks, protected_symlinks=protected)
        self._grid = GridChildren(())
        self._watched: list[socket.socket] = []

    def serve(self) -> None:
        """Serve until the input ends."""
        awake, wake = os.pipe()
        for descriptor in (awake, wake):
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._selector.register(awake, selectors.EVENT_READ, self._reap)
        self._selector.register(0, selectors.EVENT_READ, self._read)
        with contextlib.suppress(EndOfInput):
            self._say({"ready": self.facts})
            while True:
                turn(self._selector)
        self._builder.let_go()

    def clean_up(self) -> None:
        """End everything that was started and take the world away, where nothing else does so."""
        self._commands.kill_all()
        self._rounds.children.end()
        self._grid.end()
        self._builder.clean()

    # Requests

    def build(self, request: BuildRequest) -> None:
        """Make a world; whatever ran in the last one ends."""
        self._commands.kill_all()
        self._rounds.children.end_those_of_the_world()
        self._grid.end()
        for held in self._watched:
            self._selector.unregister(held)
        self._watched = []
        self._builder.build(request["world"])
        for each in self._builder.sockets:
            if each.accepts:
                self._selector.register(each.held, selectors.EVENT_READ, lambda _, it=each: it.drain())
                self._watched.append(each.held)
        self._grid = GridChildren(self._builder.sockets)

    def attempt(self, request: AttemptRequest) -> list[EncodedObservation]:
        """Make attempts of the world that was built."""
        return self._rounds.make(request)

    def grid(self, request: GridRequest) -> list[list[str]]:
        """Make the attempts of a grid in the world that was built."""
        return self._grid.sweep(request)

    def start(self, request: CommandRequest) -> Started:
        """Start a command."""
        return self._commands.start(request)

    def call(self, request: ProgramRequest) -> Started:
        """Call a program."""
        return self._commands.call(request)

    def pass_input(self, request: InputRequest) -> None:
        """Pass text to a command."""
        self._commands.pass_input(request)

    def send_signal(self, request: SignalRequest) -> None:
        """Send a command a signal."""
        self._commands.send_signal(request)

    # The streams

    def _say(self, message: AgentMessage) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            try:
                data = data[os.write(1, data) :]
            except BrokenPipeError:
                raise EndOfInput from None

    def _read(self, _: int) -> None:
        piece = os.read(0, 1 << 20)
        if not piece:
            raise EndOfInput
        head, *rest = piece.split(b"\n")
        self._input.append(head)
        for start in rest:
            line = b"".join(self._input)
            self._input = [start]
            self._say(self.answer(json.loads(line)))

    def answer(self, request: Mapping[str, Any]) -> AgentMessage:
        """Do what is asked: the answer to a request."""
        number: int = request["id"]
        try:
            handler = HANDLERS.get(request["do"])
            if handler is None:
                raise RefusalError(f"the agent knows no request {request['do']!r}, only {', '.join(HANDLERS)}")
            return {"id": number, "done": handler(self, request)}
        except RefusalError as refusal:
            return {"id": number, "failed": str(refusal)}
        except Exception as error:  # whatever it was, the harness must hear of it, and the agent lives on
            return {"id": number, "failed": f"the agent failed: {type(error).__name__}: {error}"}

    def _reap(self, awake: int) -> None:
        try:
            while os.read(awake, 4096):
                pass
        except BlockingIOError:
            pass
        self._commands.reap()


HANDLERS: dict[str, Callable[[Agent, Any], object]] = {
    "build": Agent.build,
    "attempt": Agent.attempt,
    "grid": Agent.grid,
    "start": Agent.start,
    "call": Agent.call,
    "input": Agent.pass_input,
    "signal": Agent.send_signal,
}
"""What does what is asked, by the `do` of a request."""
