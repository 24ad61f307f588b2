"""What the harness and the programs in a place say to each other, as JSON objects: types, which both ends import.

No program loads this when it runs; the rows, of which there may be many, are in `rows`. Principals, worlds and attempts
are as the kernel takes them: every id a number, every ACL whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType
    from typing import Any, Literal, Union

    from harness.inside.rows import AclRow, EncodedAttempt

# --- beginning -----------------------------------------------------------------------------------------------


class Order(TypedDict):
    """A program to call (its module's full name), and the modules that it needs, by name: as text, or compiled."""

    sources: Mapping[str, Union[str, CodeType]]
    program: str
    arguments: dict[str, Any]


# --- principals, and what the kernel says of processes -------------------------------------------------------


class _Ids(TypedDict):
    uid: int
    gid: int
    groups: list[int]


class _Confinement(TypedDict):
    seccomp: dict[str, str]
    landlock: list[str]


class EncodedConfinement(_Confinement, total=False):
    """Calls that a filter refuses, each with the name of an errno; what a Landlock domain takes away; and the rules of
    an AppArmor profile and of an SELinux domain, None without one.
    """

    apparmor: list[str] | None
    selinux: list[str] | None


class EncodedPrincipal(_Ids, total=False):
    """Who a process is to be: effective ids and supplementary groups.

    `capabilities`, by name, are the only ones that it has; without them it has what the kernel gives. `real_uid` is the
    real uid where that is another. `confined` is what holds it beside ids and capabilities.
    """

    capabilities: list[str] | None
    confined: EncodedConfinement | None
    real_uid: int


class _Labelled(EncodedPrincipal):
    label: str


class EncodedPerson(_Labelled, total=False):
    """A principal in a probe: `label` is its name there, `later` is who it becomes between connecting and speaking."""

    later: EncodedPerson


class EncodedCredentials(_Ids):
    """A process as the kernel sees it: effective ids, supplementary groups; the pid where it is told."""

    pid: int | None


class NamedCredentials(EncodedCredentials):
    """The same with the name of the user, where the uid has one."""

    user: str | None


# --- the agent -----------------------------------------------------------------------------------------------


class EncodedUser(TypedDict):
    """A line of /etc/passwd, and the user's supplementary groups."""

    name: str
    uid: int
    gid: int
    groups: list[int]


class EncodedNode(TypedDict):
    """Something in the file system, as `harness.world.Node` has it."""

    path: str
    kind: str
    owner: int
    group: int
    mode: int
    target: str | None
    acl: list[AclRow]
    type: str
    state: str
    fs: str | None
    options: list[str]
    network: str | None
    root: str | None
    default_acl: list[AclRow]
    flags: list[str]
    label: str | None
    domain: str | None


class EncodedWorld(TypedDict):
    """A world, with the directories (and their modes) and the symlinks that every place has before it.

    `networks` are the names of its network namespaces beside the place's own, `domains` the rules of each SELinux
    domain of its users.
    """

    directories: dict[str, int]
    links: dict[str, str]
    users: list[EncodedUser]
    groups: dict[str, int]
    networks: list[str]
    domains: list[list[str]]
    nodes: list[EncodedNode]


class BuildRequest(TypedDict):
    """Make a world; whatever ran in the last one ends. Done: null."""

    do: Literal["build"]
    world: EncodedWorld


class AttemptRequest(TypedDict):
    """Make attempts, in order. Done: an `EncodedObservation` for each."""

    do: Literal["attempt"]
    principals: list[EncodedPrincipal]
    paths: list[str]
    attempts: list[EncodedAttempt]


class GridRequest(TypedDict):
    """Give a directory each of some modes in turn; each principal then tries every socket of the world.

    Done: for each mode, for each principal, the outcomes in the order of the sockets: errnos, or 0, as hexadecimal
    bytes.
    """

    do: Literal["grid"]
    directory: str
    modes: list[int]
    principals: list[EncodedPrincipal]


class CommandRequest(TypedDict):
    """Start a command as a principal. Done: `Started`."""

    do: Literal["start"]
    command: list[str]
    principal: EncodedPrincipal
    environment: dict[str, str]
    directory: str
    umask: int


class ProgramRequest(TypedDict):
    """Call a program as a principal, in a process of its own. Done: `Started`.

    `modules` are the names of those that it needs, `sources` the texts of those that were not sent yet.
    """

    do: Literal["call"]
    program: str
    arguments: dict[str, Any]
    modules: list[str]
    sources: dict[str, str]
    principal: EncodedPrincipal
    environment: dict[str, str]


class Started(TypedDict):
    """A process: its number for later requests, and its pid."""

    process: int
    pid: int


class InputRequest(TypedDict):
    """Pass text to a process's standard input, and close that afterwards if asked. Done: null."""

    do: Literal["input"]
    process: int
    text: str
    end: bool


class SignalRequest(TypedDict):
    """Send a signal to a process that has not been reaped. Done: null."""

    do: Literal["signal"]
    process: int
    number: int


class AgentFacts(TypedDict):
    """What an agent says of its kernel and its Python, and the environment that commands have there.

    `fuse`: whether worlds there can have FUSE mounts, `flags`: whether their nodes can have flags.
    `own_users`: whether the place is in a user namespace of its own. `staying`: directories
    that can't be renamed there.
    """

    system: str
    kernel: str
    machine: str
    python: str
    sysctls: dict[str, int]
    fuse: bool
    flags: bool
    own_users: bool
    staying: list[str]
    environment: dict[str, str]


class AgentMessage(TypedDict, total=False):
    """A line of the agent's: the beginning, an answer to the request of a number, or news of a process.

    The beginning has `ready`, an answer has `id` and either `done` or `failed` (a sentence), news has `process` and
    what it wrote (`stdout` or `stderr`) or its `exit` status.
    """

    ready: AgentFacts
    id: int
    done: Any
    failed: str
    process: int
    stdout: str
    stderr: str
    exit: int


# --- the caller ----------------------------------------------------------------------------------------------


class CallOrder(TypedDict):
    """A request to send: `to` is a socket's path or a host and a port, `body` is sent as JSON to `target`."""

    to: str | list[Any]
    target: str
    body: Any


class CallReport(TypedDict):
    """What became of it: `ok` or connect's errno name, and when connected the HTTP status, and who called."""

    outcome: str
    status: int | None
    process: EncodedCredentials | None


if TYPE_CHECKING:
    Request = (
        BuildRequest | AttemptRequest | GridRequest | CommandRequest | ProgramRequest | InputRequest | SignalRequest
    )
