"""What a server under test is: how it is installed, started, found, asked and stopped."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.engines.protocol import Engine, Place
    from harness.world import Principal

ModeBy = Literal["option", "umask", "itself"]
"""How a server is told the mode of its socket: by an option, by the umask (the only way that every program knows),
or not at all because it has one of its own."""


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What one start asks of a server.

    `socket` is the path (or other endpoint) for the server to listen on, `mode` the socket's mode, `group` its group
    (a name, or `None` for the server's own), `state` a directory that is the server's alone.
    """

    socket: str
    mode: int
    group: str | None
    state: str


@dataclass(frozen=True)
class Subject:
    """A server under test, and how to deal with it. Kinds of servers with ways of their own are subclasses.

    `command` is what starts it in the foreground, with `{socket}`, `{mode}` (octal, four digits), `{group}`, `{state}`
    and `{directory}` (the socket's) where they belong. `{umask}` is what umask(1) would need for the mode. `speaks`
    is the name of its dialect; `packages` are Debian's packages of it, and `suite` the release whose they are;
    `stop` is the signal that ends it; `starts` is how often `creation-window` starts it, `connections` how many
    `descriptor-leak` makes, and `patience` how many seconds a start or a stop may take.
    """

    name: str
    about: str
    command: tuple[str, ...]
    speaks: str = "nothing"
    owner: str = "alice"
    group: str | None = None
    suite: str = "bookworm"
    packages: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed_mode: int | None = None
    stop: int = signal.SIGTERM
    starts: int = 200
    connections: int = 1000
    patience: float = 10.0
    client: tuple[str, ...] = ()

    @property
    def mode_by(self) -> ModeBy:
        """How this server is told a mode."""
        if self.fixed_mode is not None:
            return "itself"
        told = any(name in part for part in self.command for name in ("{mode}", "{umask}"))
        return "option" if told else "umask"

    @property
    def takes_group(self) -> bool:
        """Whether this server can be told a group."""
        return any("{group}" in part for part in self.command)

    def endpoint(self, directory: str) -> str:
        """Where it will be reached when told to listen in that directory: an endpoint, or a pattern for a path."""
        return f"{directory}/server.sock"

    def arguments(self, request: StartRequest) -> list[str]:
        """The command with everything filled in."""
        return fill(self.command, request)

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """What an engine must bring into the place beside its image: `HOST:PLACE` mounts. Raises PlaceError."""
        del engine, image
        return self.mounts

    def prepare(self, place: Place, owner: str, principal: Principal, state: str) -> None:
        """Make what must be there before the first start in a new world. Raises PlaceError with a sentence.

        `owner` is the user that it will run as, `principal` what the kernel sees of that user's processes.
        """

    def admits(self, label: str) -> bool:
        """Whether a process of that label, once let in by the kernel, is to be served."""
        del label
        return True


def fill(command: tuple[str, ...], request: StartRequest) -> list[str]:
    """A command with what is asked in it; an option whose value is `{group}` is left out where there is no group."""
    values = {
        "socket": request.socket,
        "mode": f"{request.mode:04o}",
        "umask": f"{0o777 & ~request.mode:04o}",
        "state": request.state,
        "directory": request.socket.rpartition("/")[0],
        "group": request.group or "",
    }
    filled: list[str] = []
    for part in command:
        if "{group}" in part and request.group is None:
            if not part.startswith("-") and filled and filled[-1].startswith("-"):
                filled.pop()
            continue
        for name, value in values.items():
            part = part.replace("{" + name + "}", value)  # noqa: PLW2901 - other braces are the command's own
        filled.append(part)
    return filled
