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
PLACEHOLDERS = ("socket", "directory", "mode", "mode3", "umask", "group", "user", "state")
"""What may stand between braces in a command, an environment, a configuration."""
MODES = ("{mode}", "{mode3}", "{umask}")
SERVER_SOCKET = "{directory}/server.sock"
ANY_SOCKET = "{directory}/*"


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What one start asks of a server.

    `socket` is the path (or other endpoint) for the server to listen on, `mode` the socket's mode, `group` its group
    (a name, or `None` for the server's own), `state` a directory that is the server's alone, `user` the socket's owner.
    """

    socket: str
    mode: int
    group: str | None
    state: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A file to be written at `path` before each start; both may have placeholders in them."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A directory of this machine (`source`), brought in at `brought` and copied to `path` before each start."""

    source: str
    brought: str
    path: str


@dataclass(frozen=True)
class Subject:
    """A server under test, and how to deal with it. Kinds of servers with ways of their own are subclasses.

    How it is made: `command` is what starts it, with placeholders (`PLACEHOLDERS`) where they belong, in `directory`;
    `socket` is where the socket is then, if not where `{socket}` says. `packages` are Debian's packages of it, and
    `suite` the release whose they are. `socket_owner` is whom the socket belongs to where that is another than who
    starts it, and `accounts` are users whom it names. `setup` is a command of the socket's owner that makes what
    the server needs in `{state}`, such as an empty database. `activated` says that it gets its socket from whoever
    starts it (sd_listen_fds(3)).

    How it is dealt with: `speaks` is its dialect, `readiness` how it says that it is ready (`notify`, `line:PATTERN`,
    `tcp:PORT`; nothing: it answers), `stop` the signal that ends it, and `patience` how many seconds a start or a stop
    may take. `starts` is how often `creation-window` starts it (`None`: as often as its time allows), `connections` how
    many `descriptor-leak` makes at most. `spawn` is a command of its user's that makes it start a program.

    What is meant: `doors` are other endpoints of it, `at_most` makes the mode a bound, and `own_check` are the users
    whom it serves by a check of its own, whoever the socket's mode lets in.
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
    starts: int | None = None
    connections: int = 1000
    patience: float = 10.0
    client: tuple[str, ...] = ()
    socket: str = ""
    directory: str = "/"
    readiness: str = ""
    socket_owner: str | None = None
    accounts: tuple[str, ...] = ()
    activated: bool = False
    doors: tuple[str, ...] = ()
    at_most: bool = False
    own_check: tuple[str, ...] | None = None
    setup: tuple[str, ...] = ()
    spawn: tuple[str, ...] = ()
    configurations: tuple[ConfigurationFile, ...] = ()
    data: tuple[DataDirectory, ...] = ()

    @property
    def mode_by(self) -> ModeBy:
        """How this server is told a mode."""
        if self.fixed_mode is not None:
            return "itself"
        return "option" if self.activated or self.says(*MODES) else "umask"

    @property
    def takes_group(self) -> bool:
        """Whether this server can be told a group."""
        return self.activated or self.says("{group}")

    def says(self, *placeholders: str) -> bool:
        """Whether any of these stands in the command, the environment or a configuration."""
        texts = (*self.command, *self.environment.values(), *(file.text for file in self.configurations))
        return any(each in text for text in texts for each in placeholders)

    def accounts_besides(self, owner: str) -> tuple[str, ...]:
        """The users that there must be beside the one who starts it."""
        named = dict.fromkeys((*((self.socket_owner,) if self.socket_owner else ()), *self.accounts))
        return tuple(name for name in named if name not in (owner, "root"))

    @property
    def names_a_directory(self) -> bool:
        """Whether it is told a directory only, and chooses the name there."""
        return not (self.socket or self.activated or self.says("{socket}")) and self.says("{directory}")

    def endpoint(self, directory: str) -> str:
        """Where it will be reached when told to listen in that directory: an endpoint, or a pattern for a path."""
        chosen = self.socket or (ANY_SOCKET if self.names_a_directory else SERVER_SOCKET)
        if "/" not in chosen and ":" not in chosen and not chosen.startswith("@"):
            chosen = "{directory}/" + chosen
        return chosen.replace("{directory}", directory)

    def meant_doors(self, request: StartRequest) -> tuple[str, ...]:
        """The endpoints that are meant beside the socket, as patterns (fnmatch(3))."""
        return tuple(
            f"tcp:localhost:{door[4:]}"
            if door.startswith("tcp:") and door.count(":") == 1
            else fill_text(door, request)
            for door in self.doors
        )

    def arguments(self, request: StartRequest) -> list[str]:
        """The command with everything filled in."""
        return fill(self.command, request)

    def install(self, engine: Engine, image: str | None) -> tuple[str, ...]:
        """What an engine must bring into the place beside its image: `HOST:PLACE` mounts. Raises PlaceError."""
        del engine, image
        return (*self.mounts, *(f"{each.source}:{each.brought}" for each in self.data))

    def prepare(self, place: Place, owner: str, principal: Principal, state: str) -> None:
        """Make what must be there before the first start in a new world. Raises PlaceError with a sentence.

        `owner` is the user that it will run as, `principal` what the kernel sees of that user's processes.
        """

    def admits(self, label: str) -> bool:
        """Whether a process of that label, once let in by the kernel, is to be served."""
        return self.own_check is None or label in self.own_check


def _values(request: StartRequest) -> dict[str, str]:
    return {
        "socket": request.socket,
        "mode": f"{request.mode:04o}",
        "mode3": f"{request.mode:03o}",
        "umask": f"{0o777 & ~request.mode:04o}",
        "state": request.state,
        "directory": request.socket.rpartition("/")[0],
        "group": request.group or request.user,
        "user": request.user,
    }


def fill_text(text: str, request: StartRequest) -> str:
    """A text with what is asked in it; other braces are its own."""
    for name, value in _values(request).items():
        text = text.replace("{" + name + "}", value)
    return text


def fill(command: tuple[str, ...], request: StartRequest) -> list[str]:
    """A command with what is asked in it; an option whose value is `{group}` is left out where there is no group."""
    filled: list[str] = []
    for part in command:
        if "{group}" in part and request.group is None:
            if not part.startswith("-") and filled and filled[-1].startswith("-"):
                filled.pop()
            continue
        filled.append(fill_text(part, request))
    return filled
