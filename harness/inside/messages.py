"""What the harness and the programs in a place say to each other, as JSON objects: types, which both ends import.

No program loads this when it runs; the rows, of which there may be many, are in `rows`. Principals, worlds and attempts
are as the kernel takes them: every id a number, every ACL whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from typing import Any, Literal

    from harness.inside.rows import AclRow, EncodedAttempt

# --- beginning -----------------------------------------------------------------------------------------------


class Order(TypedDict):
    """A program to call (its module's full name), and the modules that it needs, by name."""

    sources: dict[str, str]
    program: str
    arguments: dict[str, Any]


class PersonalOrder(Order):
    """An order for `harness.inside.attendant`: `person` is who the program is to be, `None` whoever is there."""

    person: EncodedPrincipal | None


class Carried(TypedDict):
    """What became of it: the status as waitpid(2) has it, and what the program wrote."""

    status: int
    output: str
    error: str


# --- principals, and what the kernel says of processes -------------------------------------------------------


class _Ids(TypedDict):
    uid: int
    gid: int
    groups: list[int]


class EncodedPrincipal(_Ids, total=False):
    """Who a process is to be: effective ids and supplementary groups.

    `capabilities`, by name, are the only ones that it has; without them it has what the kernel gives. `real_uid` is the
    real uid where that is another.
    """

    capabilities: list[str] | None
    real_uid: int


class Person(EncodedPrincipal, total=False):
    """A principal in a probe: `label` is its name there, `later` is who it becomes between connecting and speaking."""

    label: str
    later: Person


class EncodedCredentials(_Ids):
    """A process as the kernel sees it: effective ids, supplementary groups."""

    pid: int


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


class EncodedWorld(TypedDict):
    """A world, with the directories (and their modes) and the symlinks that every place has before it."""

    directories: dict[str, int]
    links: dict[str, str]
    users: list[EncodedUser]
    groups: dict[str, int]
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


class StartRequest(TypedDict):
    """Start a command as a principal. Done: `Started`."""

    do: Literal["start"]
    command: list[str]
    principal: EncodedPrincipal
    environment: dict[str, str]
    directory: str
    umask: int


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
    """What an agent says of its kernel and its Python, and the environment that commands have there."""

    system: str
    kernel: str
    machine: str
    python: str
    sysctls: dict[str, int]
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


# --- probes: what each prints, one JSON value a line ---------------------------------------------------------


class ReadyReport(TypedDict):
    """The endpoint that answers, if one does; whether the server runs."""

    endpoint: str | None
    alive: bool


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
    """A process of a server; its descriptors, where they are not somebody else's."""

    pid: int
    program: str
    descriptors: list[ListeningDescriptor] | None


class DescriptorsReport(TypedDict):
    """A server's processes, and every endpoint at which they listen."""

    processes: list[HeldProcess]
    doors: list[str]


class HoldReport(TypedDict):
    """How many connections are held, and what the last that failed was refused with."""

    held: int
    refusal: str | None


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
    """Descriptors of a server before, between and after two rounds of connections, and what became of these."""

    counts: list[int]
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


class Lie(TypedDict, total=False):
    """What to claim in a request: fields of its body, headers, a query, a user's name, or ids by SCM_CREDENTIALS."""

    label: str
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
    """How many clients came to a name that somebody else had taken, and how much they said."""

    connections: int
    bytes: int


class Launch(TypedDict):
    """A server to start: as whom, and the signal that ends it."""

    command: list[str]
    person: EncodedPrincipal
    environment: dict[str, str]
    umask: int
    stop: int


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
    """Who got in, or past the permissions, at which stop, at what mode, and what connect() said."""

    who: str
    stop: int
    mode: str
    connect: str


class StepsReport(TypedDict, total=False):
    """A start that was taken step by step; or nothing but `untraceable`, which says why it could not be."""

    ready: bool
    stops: int
    tries: int
    modes: list[str]
    breaches: list[Breach]
    untraceable: str


class StatementReport(TypedDict):
    """The rows of a statement; for a refusal the server's sentence is the only one."""

    kind: str
    rows: list[list[str]]


class DescribedProcess(TypedDict):
    """A process by its number and its name in the kernel."""

    pid: int
    comm: str


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


if TYPE_CHECKING:
    Request = BuildRequest | AttemptRequest | GridRequest | StartRequest | InputRequest | SignalRequest
