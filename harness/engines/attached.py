"""A place with an agent in it, whichever engine made it."""

from __future__ import annotations

import signal
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from harness.engines import bundle
from harness.engines.encoding import decode_observation, encode_attempts, encode_principal, encode_world
from harness.engines.protocol import Completed, Facts, PlaceError
from harness.engines.terminal import env_only, setpriv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from harness.engines.agent_connection import AgentConnection
    from harness.engines.protocol import Observation, Process
    from harness.world import Attempt, Principal, World


class AttachedPlace:
    """Implements `harness.engines.protocol.Place` by what the agent can do."""

    def __init__(self, engine: str, connection: AgentConnection, entrance: Sequence[str] = ()) -> None:
        self._connection = connection
        self._entrance = tuple(entrance)
        self._world: World | None = None
        self._sent: set[str] = set()
        said = connection.facts
        self.environment = said["environment"]
        self.facts = Facts(
            engine=engine,
            kernel=said["kernel"],
            machine=said["machine"],
            python=said["python"],
            sysctls=said["sysctls"],
            system=said["system"],
            fuse=said["fuse"],
            flags=said["flags"],
            own_users=said["own_users"],
            staying=tuple(said["staying"]),
        )

    def build(self, world: World) -> None:
        """Make the world's users, groups and nodes; see `harness.engines.protocol.Place.build`."""
        self._connection.build(encode_world(world))
        self._world = world

    def attempt(self, attempts: Sequence[Attempt]) -> list[Observation]:
        """Make attempts of the built world, in order; one observation for each."""
        if self._world is None:
            raise PlaceError("no world has been built in this place yet, so nobody can try anything")
        return [decode_observation(row) for row in self._connection.attempt(encode_attempts(self._world, attempts))]

    def grid(
        self, directory: str, modes: Sequence[int], principals: Sequence[Principal], *, step: int = 8
    ) -> Iterator[list[bytes]]:
        """Give a directory of the built world each mode in turn; each principal then tries all listening sockets.

        For each mode: for each principal, one errno (or 0) for each listening socket, in the world's order. The place
        works ahead of who reads.
        """
        whole = [list(modes[start : start + step]) for start in range(0, len(modes), step)]
        encoded = [encode_principal(principal) for principal in principals]
        waiting: deque[int] = deque()
        while whole or waiting:
            while whole and len(waiting) < 3:
                waiting.append(
                    self._connection.send(
                        {"do": "grid", "directory": directory, "modes": whole.pop(0), "principals": encoded}
                    )
                )
            for found in self._connection.receive_grid(waiting.popleft()):
                yield [bytes.fromhex(outcomes) for outcomes in found]

    def start(
        self,
        command: Sequence[str],
        principal: Principal,
        *,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        umask: int = 0o022,
    ) -> Process:
        """Start a command as a principal. Raises PlaceError if there is no such command for this principal."""
        return self._connection.start(
            {
                "do": "start",
                "command": list(command),
                "principal": encode_principal(principal),
                "environment": {**self.environment, **(environment or {})},
                "directory": directory,
                "umask": umask,
            }
        )

    def run(
        self,
        command: Sequence[str],
        principal: Principal,
        *,
        input: str = "",
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        umask: int = 0o022,
        timeout: float = 30.0,
    ) -> Completed:
        """Start a command, give it its input, wait for its end; a TimeoutError ends it."""
        process = self.start(command, principal, environment=environment, directory=directory, umask=umask)
        if input:
            process.send(input)
        return finished(process, timeout)

    def call(self, program: str, principal: Principal, /, **arguments: Any) -> Process:
        """Call a program as a principal; see `harness.engines.protocol.Place.call`."""
        needed = bundle.sources(program)
        process = self._connection.start(
            {
                "do": "call",
                "program": program,
                "arguments": arguments,
                "modules": list(needed),
                "sources": {name: text for name, text in needed.items() if name not in self._sent},
                "principal": encode_principal(principal),
                "environment": dict(self.environment),
            }
        )
        self._sent.update(needed)
        return process

    def interactive(self, principal: Principal) -> list[str]:
        """The command that opens a shell here for a principal; see `harness.engines.protocol.Place.interactive`."""
        if not self._entrance:
            raise PlaceError(
                f"the {self.facts.engine} engine can't open a terminal in a place: use docker or namespace"
            )
        return [*self._entrance, *env_only(self.environment), *setpriv(principal), "sh"]

    def close(self) -> None:
        """End everything in the place and the place itself."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def finished(process: Process, timeout: float) -> Completed:
    """Close the input of a process, and wait for its end; a TimeoutError ends it."""
    process.close_input()
    try:
        return process.wait(timeout)
    except TimeoutError:
        process.signal(signal.SIGKILL)
        raise
