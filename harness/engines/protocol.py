"""The seam between the harness and the engines: what a place can do, and what it reports.

An engine opens places; a place is one kernel's view with a root of its own inside. Everything above this line
(checks, reports, the plugin, the command) sees engines only through these protocols.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.engines.error import PlaceError as PlaceError  # noqa: PLC0414 - a part of the protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from harness.world import Attempt, Principal, World


@dataclass(frozen=True, slots=True)
class Credentials:
    """A process as one side saw it. `None` means that the kernel did not know or could not translate."""

    pid: int | None
    uid: int | None
    gid: int | None
    groups: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the kernel did with one attempt.

    `outcome` is `ok` or an errno's name. `at` is the component that refused, found by experiment as the same
    principal (not by a model), where that could be found. `credentials` is what the listener's side read of its peer,
    `process` what the kernel of the place says of the process that tried; both only when connected. `seen` is what stat
    has told: kind and mode as ls(1) writes them, uid and gid.
    """

    outcome: str
    at: str | None = None
    credentials: Credentials | None = None
    process: Credentials | None = None
    seen: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The kernel under a place.

    `system` is its name by uname(2). `sysctls` holds fs.protected_symlinks and such, as integers. `fuse`: whether
    worlds can have FUSE mounts there, `flags`: whether their nodes can have flags. `own_users`: the
    place is in a user namespace of its own, where capabilities are not the machine's. `staying`: directories that can't
    be renamed there, since overlayfs has them from an image.
    """

    engine: str
    kernel: str
    machine: str
    python: str
    sysctls: Mapping[str, int] = field(default_factory=dict[str, int])
    system: str = "Linux"
    fuse: bool = False
    flags: bool = False
    own_users: bool = False
    staying: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """A process that ended. `status` is the exit status, negative for a signal's number."""

    status: int
    stdout: str
    stderr: str


class Process(Protocol):
    """A process that runs inside a place as some principal."""

    pid: int
    """The pid as the place's own pid namespace numbers it."""

    def read_line(self, stream: Literal["stdout", "stderr"] = "stdout", timeout: float = 10.0) -> str:
        """The next line without its newline.

        Raises TimeoutError (with what was read so far on both streams), or EOFError.
        """
        ...

    def send(self, text: str) -> None:
        """Write to the process's standard input."""
        ...

    def close_input(self) -> None:
        """Close the process's standard input."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal."""
        ...

    def wait(self, timeout: float = 10.0) -> Completed:
        """Wait for the end; what lines were not read are in the result. Raises TimeoutError."""
        ...


class Place(Protocol):
    """One kernel's view with a root of its own inside: a world can be built in it, and users can try."""

    facts: Facts

    def build(self, world: World) -> None:
        """Make the world's users, groups and nodes, removing whatever an earlier world left.

        Raises PlaceError with a sentence that names the node and the reason if the kernel refuses root something.
        """
        ...

    def attempt(self, attempts: Sequence[Attempt]) -> list[Observation]:
        """Make attempts of the built world, in order; one observation for each."""
        ...

    def grid(
        self, directory: str, modes: Sequence[int], principals: Sequence[Principal], *, step: int = 8
    ) -> Iterator[list[bytes]]:
        """Give a directory of the built world each mode in turn; each principal then tries all listening sockets.

        For each mode: for each principal, one errno (or 0) for each socket, in the world's order. The place works up to
        three times `step` modes ahead of who reads.
        """
        ...

    def start(
        self,
        command: Sequence[str],
        principal: Principal,
        *,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        umask: int = 0o022,
    ) -> Process:
        """Start a command as a principal. The environment is only what is given (PATH by default)."""
        ...

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
        """Start a command, give it its input, wait for its end."""
        ...

    def call(self, program: str, principal: Principal, /, **arguments: Any) -> Process:
        """Call a program as a principal, as `harness.engines.bundle` has programs, in a process of its own."""
        ...

    def interactive(self, principal: Principal) -> list[str]:
        """A command of this machine that opens a shell in the place, on the terminal of whoever runs it.

        It works as long as the place is there. Raises PlaceError if the engine has no way in for a terminal.
        """
        ...

    def close(self) -> None:
        """End everything in the place and the place itself."""
        ...

    def __enter__(self) -> Place: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python inside an engine's places: `version` such as `3.11`, and for what `platform` its packages are built

    (as uv names it, such as `x86_64-manylinux_2_28`; `None`: for this machine's own).
    """

    version: str
    platform: str | None = None


class Engine(Protocol):
    """A way to make places."""

    name: str

    def available(self) -> str | None:
        """`None` if this engine works here, else one sentence: why not, and what to install or change."""
        ...

    def image_with(self, suite: str, packages: Sequence[str]) -> str | None:
        """An image of a Debian release with these packages, made now if it is not there; `None` without images.

        Raises PlaceError with a sentence if it can't be made.
        """
        ...

    def interpreter(self, image: str | None = None) -> Interpreter:
        """The Python in its places, for `harness.engines.cache.images.tree`. Raises PlaceError with a sentence."""
        ...

    def open(self, *, image: str | None = None, mounts: Sequence[str] = ()) -> Place:
        """Make a place. `mounts` are `HOST` or `HOST:PLACE`: read-only inside. Raises PlaceError with a sentence."""
        ...
