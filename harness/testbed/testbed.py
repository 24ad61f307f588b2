"""The workbench of the checks: a place with a world, a server in it, and probes that attack."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.inside.dialects import dialect
from harness.subjects.subject import StartRequest
from harness.testbed.cast import STATE, Location, cast, directory, lay
from harness.testbed.probing import Prober
from harness.world import ROOT, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.engines.protocol import Completed, Observation, Place, Process
    from harness.inside.messages import Person
    from harness.inside.reports import DescriptorsReport, QuestionReport, Sighting
    from harness.subjects.subject import Subject
    from harness.world import Attempt, Principal, World

LIMITED = ("sh", "-c", 'ulimit -n "$0" && exec "$@"')
"""A shell that sets the limit of open descriptors and becomes the command (setrlimit(2))."""
OUTSIDE = ("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child")
"""In front of a server: user and pid namespaces of its own, in which of all peers outside only its own user has an id
(user_namespaces(7))."""
TAIL = 400
"""Characters of a log that a sentence may quote."""


class StartError(Exception):
    """A server that did not start, in one sentence."""


class RunningServer:
    """A server that was started. `endpoint` is where it answers, once it does."""

    def __init__(self, process: Process, endpoint: str, stop: int) -> None:
        self.process = process
        self.endpoint = endpoint
        self.stop = stop
        self._said: dict[str, dict[str, Any]] = {}

    @property
    def pid(self) -> int:
        """The pid of the command as the place numbers it."""
        return self.process.pid

    def event(self, token: str, seconds: float) -> dict[str, Any] | None:
        """The JSON line on standard output that carries the token, or `None` if it does not come."""
        while token not in self._said:
            try:
                line = self.process.read_line("stdout", timeout=seconds)
            except (TimeoutError, EOFError):
                return None
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("session_id"), str):
                    # The first: a server may tell later that the session has died.
                    self._said.setdefault(event["session_id"], event)
        return self._said[token]


class Testbed(Prober):
    """A place, a subject and what is asked of it. One testbed serves all checks of a subject, one after the other."""

    __test__ = False  # pytest takes a class whose name begins like this one's for tests

    def __init__(self, place: Place, subject: Subject, *, mode: int, owner: str, group: str | None) -> None:
        super().__init__(place)
        self.subject = subject
        self.mode = subject.fixed_mode if subject.fixed_mode is not None else mode
        self.owner = owner
        self.group = group if subject.takes_group else None
        self.cast = cast(owner, self.group)
        self.world = self.cast
        self.directory = directory("own")
        self.path = place.run(["sh", "-c", 'printf %s "$PATH"'], ROOT).stdout

    # The world

    def lay(self, location: Location = "own", extra: Sequence[Node] = ()) -> None:
        """Make a world anew; what an earlier check left is gone."""
        self.world = lay(self.cast, location, self.owner, extra)
        self.directory = directory(location)
        self.place.build(self.world)
        self.forget_attendant()  # building a world ends what ran in the last one
        self.subject.prepare(self.place, self.owner, self.principal(self.owner), STATE)

    def enter(self, world: World) -> None:
        """Work in a world that has been built already."""
        self.world = world
        self.forget_attendant()

    @property
    def endpoint(self) -> str:
        """Where the server will be: an endpoint or a pattern."""
        return self.subject.endpoint(self.directory)

    def request(self) -> StartRequest:
        """What a start in this world asks of the server."""
        return StartRequest(self.endpoint, self.mode, self.group, STATE)

    @property
    def socket_group(self) -> str | int:
        """The group that the socket is to have."""
        return self.group if self.group is not None else self.world.user(self.owner).gid

    def principal(self, name: str) -> Principal:
        """What the kernel sees of a user's processes."""
        return self.world.principal(name)

    def person(self, name: str) -> Person:
        """A user as the probes take one."""
        who = self.principal(name)
        return {"label": name, "uid": who.uid, "gid": who.gid, "groups": list(who.groups)}

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
        return {"HOME": home, "USER": self.owner, "LANG": "C.UTF-8", **self.subject.environment}

    def start(
        self,
        *,
        umask: int = 0o022,
        files: int | None = None,
        outside: bool = False,
    ) -> RunningServer:
        """Start the server and do not wait.

        `files` is its limit of descriptors; `outside` puts it into user and pid namespaces of its own, where no
        group but its user's exists, so that none is asked for.
        """
        request = replace(self.request(), group=None) if outside else self.request()
        before = OUTSIDE if outside else ()
        command = [*before, *self.subject.arguments(request)]
        if files is not None:
            command = [*LIMITED, str(files), *command]
        process = self.place.start(
            command,
            self.principal(self.owner),
            environment=self.environment(),
            directory="/",
            umask=self.umask(umask),
        )
        # unshare(1) ignores the gentle signals while it waits for its child, and takes the child along when killed.
        return RunningServer(process, request.socket, signal.SIGKILL if outside else self.subject.stop)

    def ready(self, running: RunningServer) -> None:
        """Wait until it answers root. Raises StartError."""
        said = self.probe(
            "ready",
            endpoint=running.endpoint,
            speaks=self.subject.speaks,
            pid=running.pid,
            seconds=self.subject.patience,
        )
        if said["endpoint"] is None:
            state = "did not answer" if said["alive"] else "ended"
            raise StartError(f"the server {state} within {self.subject.patience:.0f} s; {self.log(running)}")
        running.endpoint = said["endpoint"]

    @contextlib.contextmanager
    def serve(self, *, umask: int = 0o022, files: int | None = None, outside: bool = False) -> Iterator[RunningServer]:
        """A server that answers; ended afterwards with all that it started. Raises StartError."""
        running = self.start(umask=umask, files=files, outside=outside)
        try:
            self.ready(running)
            yield running
        finally:
            self.kill(running)

    def stop(self, running: RunningServer) -> Completed:
        """End it in its own way and wait. Raises TimeoutError."""
        with contextlib.suppress(ProcessLookupError):
            running.process.signal(running.stop)
        return running.process.wait(self.subject.patience)

    def kill(self, running: RunningServer) -> None:
        """End it and all that it started at once, as a power failure would."""
        self.probe("crash", pid=running.pid, seconds=self.subject.patience)
        running.process.wait(self.subject.patience)

    def log(self, running: RunningServer) -> str:
        """The end of what it said, for a sentence."""
        with contextlib.suppress(ProcessLookupError):
            running.process.signal(signal.SIGKILL)
        done = running.process.wait(self.subject.patience)
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        return f"it said: {said[-TAIL:]}" if said else f"it said nothing (exit status {done.status})"

    def settle(self, running: RunningServer, path: str, before: Sighting | None) -> bool:
        """Wait until it has ended or has put something else at the path than what was there before; whether it has
        ended.

        A server that took the path gets the time to answer there, or to fail after all.
        """
        seconds = self.subject.patience
        inode, kind = (0, "nothing") if before is None else (before["inode"], before["kind"])
        said = self.probe("change", path=path, inode=inode, kind=kind, pid=running.pid, seconds=seconds)
        if not (said["changed"] and said["alive"]):
            return not said["alive"]
        speaks = self.subject.speaks
        return not self.probe("ready", endpoint=path, speaks=speaks, pid=running.pid, seconds=seconds)["alive"]

    def served(self, running: RunningServer) -> str:
        """The first of a few users other than the stranger whom the server serves. Raises StartError if none is."""
        answers = {}
        for name in ("member", "colleague", self.owner, "root"):
            answer = self.ask(running, name, f"calm-{name}")
            if answer["kind"] == "accepted":
                return name
            answers[name] = answer["kind"]
        raise StartError(f"nobody was served in calm: {answers}")

    def open_to_all(self, running: RunningServer) -> None:
        """Let root open the socket's mode and its directory, so that every user reaches the server itself."""
        if running.endpoint.startswith("/"):
            self.root("chmod", "0666", running.endpoint)
            self.root("chmod", "a+x", running.endpoint.rpartition("/")[0])

    def admits(self, label: str) -> bool:
        """Whether the server is to serve a process that got as far as the server."""
        return self.subject.admits(label)

    def named_people(self) -> list[Person]:
        """The users whom a server can name that goes by names."""
        return [self.person(user.name) for user in self.world.users if user.capabilities is None]

    def descriptors(self, running: RunningServer) -> DescriptorsReport:
        """What the server's processes hold open."""
        return self.probe("descriptors", self.inspector(running), pid=running.pid)

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
        tried = self.place.run([*OUTSIDE, "true"], self.principal(self.owner))
        return None if tried.status == 0 else " ".join(tried.stderr.split())

    # What is seen of it

    def look(self, *paths: str) -> dict[str, Sighting | None]:
        """What is at these paths, symlinks not followed."""
        return self.probe("listing", paths=list(paths))

    def ask(self, running: RunningServer, who: str, token: str, seconds: float = 10.0) -> QuestionReport:
        """One request by a user of the world."""
        return self.probe(
            "question",
            self.principal(who),
            endpoint=running.endpoint,
            speaks=self.subject.speaks,
            token=token,
            seconds=seconds,
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

    def with_socket(self, path: str, mode: int) -> World:
        """The world as it should be once the server listens there: what the oracle judges by."""
        socket = Node(path, "socket", self.owner, self.socket_group, mode)
        return replace(self.world, nodes=(*self.world.nodes, socket))
