"""The workbench of the checks: a place with a world, a server in it, and probes that attack."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from harness.engines.encoding import encode_principal
from harness.inside.dialects import dialect
from harness.subjects.subject import StartRequest, fill_text
from harness.testbed.cast import OWN, STATE, Location, cast, directory, lay
from harness.testbed.furnishing import furnish
from harness.testbed.probing import Prober
from harness.testbed.readiness import NOTIFY, await_server
from harness.testbed.server import RunningServer, StartError, start
from harness.world import ROOT, Attempt, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.engines.protocol import Completed, Observation, Place
    from harness.inside.messages import EncodedPerson
    from harness.inside.reports import DescriptorsReport, Launch, QuestionReport, ServerReport, Sighting
    from harness.subjects.subject import Subject
    from harness.testbed.server import ServerProcess
    from harness.world import Principal, World
    from harness.world.model import SocketType

OUTSIDE = ("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child")
"""In front of a server: user and pid namespaces of its own, in which of all peers outside only its own user has an id
(user_namespaces(7))."""
CALM = 2.5
"""Seconds for an answer when nobody attacks."""
CHECK = 8.0
"""Seconds in which a check begins what it may do more often, or watch for longer, so that it ends within ten."""
LEARNED = ("type", "deaf", "slow_to_stop", "settling", "least", "limit", "mode", "finished", "stays", "made")
"""What one start teaches (`harness.testbed.rehearsal`), beside the subject's own socket."""
QUICK = 1.5
"""Seconds that something which a server decides at its start may take at least, however quickly it starts."""


class Testbed(Prober):
    """A place, a subject and what is asked of it. One testbed serves all checks of a subject, one after the other."""

    __test__ = False  # pytest takes a class whose name begins like this one's for tests

    def __init__(self, place: Place, subject: Subject, *, mode: int, owner: str, group: str | None) -> None:
        super().__init__(place)
        self.subject = subject
        self.mode = subject.fixed_mode if subject.fixed_mode is not None else mode
        self.owner = owner
        self.socket_owner = subject.socket_owner or owner
        self.group = group if subject.takes_group else None
        self.type: SocketType = "stream"
        self.deaf = self.slow_to_stop = False
        self.settling = self.least = subject.patience
        self.cast = cast(owner, self.group, subject.accounts_besides(owner), subject.socket_owner)
        self.finished: Sighting | None = None
        self.stays: bool | None = None
        self.made: tuple[Node, ...] = ()
        self.ended: str | None = None
        self.limit = CHECK
        self._until = 0.0
        self._running: list[ServerProcess] = []
        self.world = self.cast
        self.directory = directory("own")
        self.path = place.run(["sh", "-c", 'printf %s "$PATH"'], ROOT).stdout

    def like(self, place: Place) -> Testbed:
        """A testbed for the same server in another place, with what this one has learned of it."""
        other = Testbed(place, self.subject, mode=self.mode, owner=self.owner, group=self.group)
        for name in LEARNED:
            setattr(other, name, getattr(self, name))
        return other

    # The time of one check

    def begin_check(self) -> None:
        """From now on a check has its time."""
        self._until = monotonic() + self.limit
        self.ended = None

    @property
    def left(self) -> float:
        """Seconds that the check has left for what it may do more often, or watch for longer; never below 0."""
        return max(0.0, self._until - monotonic())

    # The world

    def lay(self, location: Location = "own", extra: Sequence[Node] = (), *, made_by: str | None = None) -> None:
        """Make a world anew; what an earlier check left is gone.

        With `made_by` the directories that the server makes at its start are there already: as an earlier start has
        left them, or another user's, if that is not the socket's owner, whom they let do everything there.
        """
        self._end_last()
        if made_by is not None:
            extra = (*self.made_in(location, made_by), *extra)
        self.world = lay(self.cast, location, self.socket_owner, extra)
        self.directory = directory(location)
        self.place.build(self.world)
        variables = {"PATH": self.path, **self.environment()}
        furnish(self.place, self.subject, self.request(), self.principal(self.socket_owner), variables)
        self.subject.prepare(self.place, self.owner, self.principal(self.owner), STATE)

    def made_in(self, location: Location, made_by: str) -> tuple[Node, ...]:
        """The directories that the server makes at its start, the topmost first, as `lay` makes them of a user."""
        moved = [
            replace(node, path=directory(location) + node.path.removeprefix(OWN)) if node.path.startswith(OWN) else node
            for node in self.made
        ]
        if made_by == self.socket_owner:
            return tuple(moved)
        return tuple(replace(node, owner=made_by, group=made_by, mode=0o777) for node in moved)

    def above(self, path: str | None = None) -> list[str]:
        """Every directory above a path, from below the root on; without one, above where the server will be."""
        parts = (self.endpoint if path is None else path).split("/")[1:-1]
        return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]

    def enter(self, world: World) -> None:
        """Work in a world that has been built already."""
        self.world = world

    @property
    def endpoint(self) -> str:
        """Where the server will be: an endpoint or a pattern."""
        return self.subject.endpoint(self.directory)

    def request(self) -> StartRequest:
        """What a start in this world asks of the server."""
        return StartRequest(self.endpoint, self.mode, self.group, STATE, self.socket_owner)

    @property
    def socket_group(self) -> str | int:
        """The group that the socket is to have."""
        return self.group if self.group is not None else self.world.user(self.socket_owner).gid

    def principal(self, name: str) -> Principal:
        """What the kernel sees of a user's processes."""
        return self.world.principal(name)

    def person(self, name: str) -> EncodedPerson:
        """A user as the probes take one."""
        who = self.principal(name)
        return {"label": name, "uid": who.uid, "gid": who.gid, "groups": list(who.groups)}

    def connects(self, path: str) -> list[Attempt]:
        """An attempt of every user to connect to a socket of the server's type."""
        return [Attempt(user.name, "connect", path, type=self.type) for user in self.world.users]

    def attempt(self, *attempts: Attempt) -> list[Observation]:
        """Let users of the world try something."""
        return self.place.attempt(attempts)

    def root(self, *command: str) -> Completed:
        """Run a command as root."""
        return self.place.run(list(command), ROOT)

    # The server

    def umask(self, wanted: int = 0o022) -> int:
        """The umask to start it under: where the mode can only be asked through it, that which asks for the mode."""
        return 0o777 & ~self.mode if self.subject.mode_by == "umask" else wanted

    def environment(self) -> dict[str, str]:
        """The environment of the server."""
        home = "/root" if self.owner == "root" else f"/home/{self.owner}"
        given = {name: fill_text(value, self.request()) for name, value in self.subject.environment.items()}
        return {"HOME": home, "USER": self.owner, "LANG": "C.UTF-8", **given}

    def order(
        self, command: Sequence[str] | None = None, *, umask: int = 0o022, files: int | None = None, stop: int = 0
    ) -> Launch:
        """How the server is to be started, for whoever starts it in the place."""
        request = self.request()
        owner = self.principal(self.socket_owner)
        notify = NOTIFY if self.subject.readiness == "notify" else None
        return {
            "command": list(self.subject.arguments(request) if command is None else command),
            "person": self.person(self.owner),
            "environment": {"PATH": self.path, **self.environment(), **({"NOTIFY_SOCKET": notify} if notify else {})},
            "directory": fill_text(self.subject.directory, request),
            "umask": self.umask(umask),
            "files": files,
            "socket": None
            if not self.subject.activated
            else {
                "path": request.socket,
                "type": self.type,
                "mode": self.mode,
                "uid": owner.uid,
                "gid": owner.gid,
                "group": self.group,
            },
            "notify": notify,
            "stop": stop or self.subject.stop,
        }

    def start(self, *, umask: int = 0o022, files: int | None = None, outside: bool = False) -> RunningServer:
        """Start the server and do not wait. Raises StartError if the command can't be run.

        `files` is its limit of descriptors; `outside` puts it into user and pid namespaces of its own, where no
        group but its user's exists, so that none is asked for.
        """
        request = replace(self.request(), group=None) if outside else self.request()
        command = [*(OUTSIDE if outside else ()), *self.subject.arguments(request)]
        process = start(self.place, self.order(command, umask=umask, files=files))
        self._running.append(process)
        return RunningServer(process, request.socket, self.subject.stop)

    def _end_last(self) -> None:
        """End what is left of earlier starts: a server in the background outlives the world that it was made in."""
        while self._running:
            process = self._running.pop()
            with contextlib.suppress(TimeoutError):
                self.probe("crash", pid=process.supervisor, seconds=self.subject.patience)

    @property
    def asker(self) -> str:
        """Who asks whether the server is there: root, or the first of those whom its own check admits."""
        admitted = self.subject.own_check
        return "root" if admitted is None or "root" in admitted or not admitted else admitted[0]

    def served_by(self, running: RunningServer) -> ServerReport:
        """Which processes of a start hold the socket."""
        owner = encode_principal(self.principal(self.owner))
        return self.probe("server", endpoint=running.endpoint, supervisor=running.supervisor, owner=owner)

    @contextlib.contextmanager
    def serve(
        self, *, umask: int = 0o022, files: int | None = None, outside: bool = False, seconds: float | None = None
    ) -> Iterator[RunningServer]:
        """A server that answers, within its patience or so many seconds; ended afterwards with all that it started.

        Raises StartError.
        """
        running = self.start(umask=umask, files=files, outside=outside)
        try:
            await_server(self, running, seconds)
            yield running
            if not running.killed and not running.told_to_end and not self.descriptors_of(running):
                how = running.own_end(running.process.wait(self.subject.patience))
                self.ended = f"the server ended while it was attacked, {how}"
        finally:
            self.kill(running)

    def stop(self, running: RunningServer) -> None:
        """End it in its own way and wait. Raises TimeoutError."""
        running.told_to_end = True
        holders = self.served_by(running)["holders"]
        if holders:  # whoever was started may have gone to the background only after it answered
            running.process.pid = holders[0]
        with contextlib.suppress(ProcessLookupError):
            running.process.signal(running.stop)
        try:
            running.process.wait(self.subject.patience)
        except TimeoutError:
            if running.pid in self.descriptors_of(running):
                raise

    def descriptors_of(self, running: RunningServer) -> list[int]:
        """The pids of all processes of a start that run."""
        found = self.served_by(running)
        return [*found["holders"], *found["others"]]

    def kill(self, running: RunningServer) -> None:
        """End it and all that it started at once, as a power failure would."""
        running.killed = True
        self.probe("crash", pid=running.supervisor, seconds=self.subject.patience)
        running.process.wait(self.subject.patience)

    def log(self, running: RunningServer) -> str:
        """The end of what it said, for a sentence; it is ended where it runs."""
        try:
            done = running.process.wait(0.05)
        except TimeoutError:
            self.kill(running)
            done = running.process.wait(self.subject.patience)
        return running.last_words(done)

    def settle(self, running: RunningServer, path: str, before: Sighting | None, seconds: float | None = None) -> bool:
        """Wait until it has ended or has put something else at the path than what was there before; whether it has
        ended.

        A server that took the path gets the time to answer there, or to fail after all.
        """
        seconds = self.settling if seconds is None else seconds
        inode, kind = (0, "nothing") if before is None else (before["inode"], before["kind"])
        said = self.probe("change", path=path, inode=inode, kind=kind, pid=running.supervisor, seconds=seconds)
        if not (said["changed"] and said["alive"]):
            return not said["alive"]
        asked: dict[str, Any] = {
            "endpoint": path,
            "speaks": self.subject.speaks,
            "pid": running.supervisor,
            "after": None,
        }
        return not self.probe("ready", self.principal(self.asker), **asked, seconds=seconds)["alive"]

    def served(self, running: RunningServer) -> str:
        """The first of a few users other than the stranger whom the server serves. Raises StartError if none is."""
        answers = {}
        for name in ("member", "colleague", self.owner, "root"):
            answer = self.ask(running, name, f"calm-{name}", CALM)
            if answer["kind"] == "accepted":
                return name
            answers[name] = answer["kind"]
        raise StartError(f"no client was served even before the attack: {answers}")

    def open_to_all(self, running: RunningServer) -> None:
        """Let root open the socket's mode and its directory, so that every user reaches the server itself."""
        if running.endpoint.startswith("/"):
            self.root("chmod", "0666", running.endpoint)
            self.root("chmod", "a+x", running.endpoint.rpartition("/")[0])

    def admits(self, label: str) -> bool:
        """Whether the server is to serve a process that got as far as the server."""
        return self.subject.admits(label)

    def named_people(self) -> list[EncodedPerson]:
        """The users whom a server can name that goes by names."""
        return [self.person(user.name) for user in self.world.users if user.capabilities is None]

    def descriptors(self, running: RunningServer) -> DescriptorsReport:
        """What the server's processes hold open."""
        return self.probe("descriptors", self.inspector(running), supervisor=running.supervisor)

    def inspector(self, running: RunningServer) -> Principal:
        """Who may look into the server's processes: root with CAP_SYS_PTRACE, else the server's own user."""
        looked = self.root("ls", f"/proc/{running.pid}/fd")
        return ROOT if looked.status == 0 else self.principal(self.owner)

    def doors(self, running: RunningServer) -> list[str]:
        """Every address at which the server's processes listen."""
        return self.descriptors(running)["doors"]

    @property
    def no_path(self) -> str:
        """Why the questions about a file make no sense, or nothing."""
        return "" if self.endpoint.startswith("/") else f"{self.endpoint} is not a file"

    def no_user_namespace(self) -> str | None:
        """`None` if the server's user can make a user namespace in this place, else what said no."""
        if self.subject.activated:
            return "a socket is handed over to one process by its pid, which a namespace of its own would change"
        tried = self.place.run([*OUTSIDE, "true"], self.principal(self.owner))
        return None if tried.status == 0 else " ".join(tried.stderr.split())

    # What is seen of it

    def look(self, *paths: str) -> dict[str, Sighting | None]:
        """What is at these paths, symlinks not followed."""
        return self.probe("listing", paths=list(paths))

    def ask(
        self, running: RunningServer, who: str, token: str, seconds: float = 10.0, *, again: bool = False
    ) -> QuestionReport:
        """One request by a user of the world; with `again`, until one is accepted or the time is over."""
        return self.probe(
            "question",
            self.principal(who),
            endpoint=running.endpoint,
            speaks=self.subject.speaks,
            token=token,
            seconds=seconds,
            again=again,
        )

    @property
    def tells(self) -> str | None:
        """How the server's dialect says whom the server saw."""
        return dialect(self.subject.speaks).TELLS

    def seen(self, running: RunningServer, said: Mapping[str, Any], seconds: float = 10.0) -> dict[str, Any] | None:
        """Whom the server saw in a request that was answered: `pid, uid, gid, groups` or `user`."""
        if self.tells == "answer":
            return said["seen"]  # type: ignore[no-any-return]
        event = running.event(said["token"], seconds)
        if event is None:
            return None
        return {
            key: event.get(f"_peer_{key}", None)
            for key in ("pid", "uid", "gid", "groups")
            if key != "groups" or "_peer_groups" in event
        }

    def with_socket(self, path: str, mode: int, uid: int | None = None, gid: int | None = None) -> World:
        """The world as it should be once the server listens there: what the oracle judges by.

        The socket belongs to whom it is to belong, or to these.
        """
        owner = self.socket_owner if uid is None else uid
        group = self.socket_group if gid is None else gid
        socket = Node(path, "socket", owner, group, mode, type=self.type)
        return replace(self.world, nodes=(*self.world.nodes, socket))
