"""What tests of somebody's server get from the pytest plugin: the users of a world, and a server that runs in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.world import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.engines.protocol import Completed, Observation, Place, Process
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed
    from harness.world import Principal


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the world, in the place where it was built."""

    place: Place
    name: str
    principal: Principal

    def connect(self, path: str) -> Observation:
        """Try to connect to a stream socket: `outcome` is `ok` or an errno name, `at` the component that refused."""
        (seen,) = self.place.attempt([Attempt(self.name, "connect", path)])
        return seen

    def attempt(self, **attempt: Any) -> Observation:
        """Try any operation; the arguments are those of `harness.world.Attempt` but the user."""
        (seen,) = self.place.attempt([Attempt(self.name, **attempt)])
        return seen

    def run(self, command: Sequence[str], text: str = "") -> Completed:
        """Run a command as this user, and wait for its end."""
        return self.place.run(command, self.principal, input=text)


@dataclass(frozen=True, slots=True)
class ServerUnderTest:
    """A server that runs in the world and has answered. `socket` is its path."""

    testbed: Testbed
    running: RunningServer

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return self.running.endpoint

    @property
    def process(self) -> Process:
        """The process, with its lines and its signals."""
        return self.running.process

    @property
    def mode(self) -> int:
        """The mode bits that its socket has now."""
        there = self.testbed.look(self.socket)[self.socket]
        if there is None:
            raise FileNotFoundError(self.socket)
        return int(there["mode"])

    def ask(self, who: str, token: str = "hello") -> dict[str, Any]:  # noqa: S107 - a word to be found again, no secret
        """One request of a user in what the server speaks: `kind` is `accepted`, `refused`, ..., or connect's errno
        name."""
        return dict(self.testbed.ask(self.running, who, token))
