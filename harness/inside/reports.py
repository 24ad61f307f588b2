"""What probes and peers are given and what each prints, one JSON value a line: types, which both ends import."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from typing import Any, Literal

    from harness.inside.messages import EncodedPrincipal, NamedCredentials


class ReadyReport(TypedDict):
    """The endpoint that answers, if one does; whether anything that was started runs; the last answer's kind."""

    endpoint: str | None
    alive: bool
    last: str


class ServerReport(TypedDict):
    """Who serves: the processes that hold the socket, the topmost of them first, and all others of that start.

    `type` is the socket's, `None` for a port and where the kernel tells of none at the endpoint; `doors` is every
    endpoint at which these processes are reached; `unseen` are processes into which nobody may look. `program` is what
    the first of them runs.
    """

    holders: list[int]
    others: list[int]
    type: Literal["stream", "dgram", "seqpacket"] | None
    doors: list[str]
    unseen: list[int]
    program: str


class ChangeReport(TypedDict):
    """Whether something else stands at the path; whether the server runs."""

    changed: bool
    alive: bool


class CrashReport(TypedDict):
    """How many processes were ended, and how many of them are left."""

    killed: int
    left: int


class HeldDescriptor(TypedDict):
    """A descriptor: where its link in /proc leads, whether an exec closes it."""

    number: int
    what: str
    close_on_exec: bool


class ListeningDescriptor(HeldDescriptor, total=False):
    """The same; `listens` is the endpoint, where it is a listening socket."""

    listens: str


class HeldProcess(TypedDict):
    """A process of a server; its descriptors, where they are not somebody else's.

    `started` says that it runs a program that another of these processes started.
    """

    pid: int
    program: str
    started: bool
    descriptors: list[ListeningDescriptor] | None


class DescriptorsReport(TypedDict):
    """A server's processes, and every endpoint at which they listen."""

    processes: list[HeldProcess]
    doors: list[str]


class HoldReport(TypedDict):
    """How many connections are held, and what the last that failed was refused with. `unfinished`: why it is not known
    whether more are to be had.
    """

    held: int
    refusal: str | None
    unfinished: str | None


class Sighting(TypedDict):
    """What is at a path, symlinks not followed. `content`: a file's text, a directory's names, a symlink's text."""

    kind: str
    mode: int
    uid: int
    gid: int
    device: int
    inode: int
    content: str | list[str] | None


class ManyReport(TypedDict):
    """Descriptors of a server before, between and after two rounds of connections, and what became of these.

    `made` is how many there were after each round.
    """

    counts: list[int]
    made: list[int]
    answered: int
    broken_off: int


class AnswerReport(TypedDict):
    """What a server answered, as `harness.inside.dialects.answer.Answer` has it."""

    kind: str
    text: str
    seen: dict[str, Any] | None


class QuestionReport(AnswerReport):
    """The same, and how long it took."""

    seconds: float


class PersonReport(AnswerReport):
    """The same for one connection of one of many people: its token, and the process that opened it."""

    label: str
    token: str
    process: NamedCredentials


class _AnyLie(TypedDict):
    label: str


class Lie(_AnyLie, total=False):
    """What to claim in a request: fields of its body, headers, a query, a user's name, or ids by SCM_CREDENTIALS."""

    body: dict[str, Any]
    headers: dict[str, str]
    query: str
    user: str
    ids: list[int]


class ClaimReport(AnswerReport):
    """What came of a lie; `sendmsg` is `ok` or what the kernel said to credentials of our choice, if they were sent."""

    label: str
    token: str
    process: NamedCredentials
    sendmsg: str | None


class ReadReport(TypedDict):
    """What came of a way of asking for events: the HTTP status, and whose were given; or what went wrong."""

    asked: str
    status: int | None
    tokens: list[str]
    error: str | None


class SquatReport(TypedDict):
    """How many came to a name that somebody else had taken, and by uid how much they said."""

    connections: int
    bytes: dict[str, int]


class ActivatedSocket(TypedDict):
    """A socket that is made for a server and handed over to it; `group` is by name, `gid` where there is none."""

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    group: str | None


class Launch(TypedDict):
    """A server to start: as whom, where, and the signal that ends it.

    `files` limits its descriptors, `socket` is handed over to it, and at the path `notify` it may say that it is ready
    (sd_notify(3)).
    """

    command: list[str]
    person: EncodedPrincipal
    environment: dict[str, str]
    directory: str
    umask: int
    files: int | None
    socket: ActivatedSocket | None
    notify: str | None
    stop: int


class Supervised(TypedDict):
    """The process that was started."""

    pid: int


class HammerReport(TypedDict):
    """The outcomes of somebody's tries, how often each, and the mode of the socket when one got in."""

    tries: dict[str, int]
    mode: str | None


class StartsReport(TypedDict):
    """A server's starts: how many were made, how many came to answer, the modes of its socket, what outsiders got."""

    starts: int
    ready: int
    modes: list[str]
    outsiders: dict[str, HammerReport]


class Breach(TypedDict):
    """Who got in, or past the permissions, at which stop, at what mode, and what connect() said.

    `path` is where the socket was then, `inode` the number of its file.
    """

    who: str
    stop: int
    mode: str
    connect: str
    path: str
    inode: int


class StepsReport(TypedDict):
    """A start that was taken step by step; `untraceable` says why it could not be, where that is so."""

    ready: bool
    stops: int
    tries: int
    modes: list[str]
    breaches: list[Breach]
    untraceable: str | None


class StatementReport(TypedDict):
    """The rows of a statement; for a refusal the server's sentence is the only one."""

    kind: str
    rows: list[list[str]]


class CaseReport(TypedDict, total=False):
    """A line of a peer in a case of `harness.inside.peers`.

    Either who opened the connection on which `token` is sent, where a field is `None` if the server can't know it; or
    which tokens the reader of a name was shown; or why the case was not played, or not served.
    """

    token: str
    pid: int | None
    uid: int | None
    gid: int | None
    groups: list[int] | None
    process: dict[str, Any] | None
    reads: str
    tokens: list[str]
    unplayable: str
    unserved: str
