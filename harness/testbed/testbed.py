"""The workbench of the checks: a place with a world, a server in it, and probes that attack."""

from __future__ import annotations

import contextlib
import json
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.engines import bundle
from harness.engines.protocol import PlaceError
from harness.inside.dialects import dialect
from harness.subjects.subject import StartRequest
from harness.testbed.cast import STATE, Location, cast, directory, lay
from harness.world import ROOT, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.engines.protocol import Completed, Observation, Place, Process
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


class ProbeError(PlaceError):
    """A probe that failed by itself: the check can't say anything."""


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


def _person(principal: Principal) -> dict[str, Any]:
    """A principal as the probes take one."""
    return {"uid": principal.uid, "gid": principal.gid, "groups": list(principal.groups)}


class Testbed:
    """A place, a subject and what is asked of it. One testbed serves all checks of a subject, one after the other."""

    __test__ = False  # pytest takes a class whose name begins like this one's for tests

    def __init__(self, place: Place, subject: Subject, *, mode: int, owner: str, group: str | None) -> None:
        self.place = place
        self.subject = subject
        self.mode = subject.fixed_mode if subject.fixed_mode is not None else mode
        self.owner = owner
        self.group = group if subject.takes_group else None
        self.cast = cast(owner, self.group)
        self.world = self.cast
        self.directory = directory("own")
        self._attendant: Process | None = None
        self.path = place.run(["sh", "-c", 'printf %s "$PATH"'], ROOT).stdout

    # The world

    def lay(self, location: Location = "own", extra: Sequence[Node] = ()) -> None:
        """Make a world anew; what an earlier check left is gone."""
        self.world = lay(self.cast, location, self.owner, extra)
        self.directory = directory(location)
        self.place.build(self.world)
        self._attendant = None  # building a world ends what ran in the last one
        self.subject.prepare(self.place, self.owner, self.principal(self.owner), STATE)

    def enter(self, world: World) -> None:
        """Work in a world that has been built already."""
        self.world = world
        self._attendant = None

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

    def person(self, name: str) -> dict[str, Any]:
        """A user as the probes take one."""
        return {"label": name, **_person(self.principal(name))}

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

    def settle(self, running: RunningServer, path: str, before: Mapping[str, Any] | None) -> bool:
        """Wait until it has ended or has put something else at the path than what was there before; whether it has
        ended.

        A server that took the path gets the time to answer there, or to fail after all.
        """
        seconds = self.subject.patience
        known = before or {"inode": 0, "kind": "nothing"}
        said = self.probe(
            "change", path=path, inode=known["inode"], kind=known["kind"], pid=running.pid, seconds=seconds
        )
        if said["changed"] and said["alive"]:
            said = self.probe("ready", endpoint=path, speaks=self.subject.speaks, pid=running.pid, seconds=seconds)
        return not said["alive"]

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

    def named_people(self) -> list[dict[str, Any]]:
        """The users whom a server can name that goes by names."""
        return [self.person(user.name) for user in self.world.users if user.capabilities is None]

    def descriptors(self, running: RunningServer) -> dict[str, Any]:
        """What the server's processes hold open."""
        seen: dict[str, Any] = self.probe("descriptors", self.inspector(running), pid=running.pid)
        return seen

    def inspector(self, running: RunningServer) -> Principal:
        """Who may look into the server's processes: root with CAP_SYS_PTRACE, else the server's own user."""
        looked = self.root("ls", f"/proc/{running.pid}/fd")
        return ROOT if looked.status == 0 else self.principal(self.owner)

    def doors(self, running: RunningServer) -> list[str]:
        """Every address at which the server's processes listen."""
        doors: list[str] = self.descriptors(running)["doors"]
        return doors

    @property
    def no_path(self) -> str:
        """Why the questions about a file make no sense, or nothing."""
        return "" if self.endpoint.startswith("/") else f"{self.endpoint} is not a file"

    def no_user_namespace(self) -> str | None:
        """`None` if the server's user can make a user namespace in this place, else what said no."""
        tried = self.place.run([*OUTSIDE, "true"], self.principal(self.owner))
        return None if tried.status == 0 else " ".join(tried.stderr.split())

    # Probes

    def probe(self, probe: str, who: Principal = ROOT, /, *, timeout: float = 120.0, **arguments: Any) -> Any:
        """Run a probe to its end: the last JSON value that it printed."""
        return self.probe_lines(probe, who, timeout=timeout, **arguments)[-1]

    def probe_lines(
        self, probe: str, who: Principal = ROOT, /, *, timeout: float = 120.0, **arguments: Any
    ) -> list[Any]:
        """Run a probe to its end: all JSON values that it printed. Raises ProbeError, TimeoutError."""
        if who.capabilities is not None:
            return self._probe_apart(probe, who, timeout, arguments)
        attendant = self._attendant or self.place.start(bundle.BOOT, ROOT)
        person = None if who == ROOT else _person(who)
        try:
            if self._attendant is None:
                attendant.send(bundle.attend())
            self._attendant = None  # unless it answers in time
            attendant.send(bundle.order(f"probes.{probe}", arguments, person))
            said = json.loads(attendant.read_line(timeout=timeout))
        except (EOFError, BrokenPipeError) as error:
            ended = attendant.wait()
            raise ProbeError(f"the probe {probe} failed: {error}; it said {ended.stderr.strip()!r}") from None
        self._attendant = attendant
        if said["status"] != 0 or not said["output"]:
            raise ProbeError(f"the probe {probe} failed: {said['error'] or 'it said nothing'}")
        return [json.loads(line) for line in said["output"].splitlines()]

    def _probe_apart(self, probe: str, who: Principal, timeout: float, arguments: dict[str, Any]) -> list[Any]:
        """A probe in a process that the place itself gives its capabilities."""
        done = self.place.run(bundle.BOOT, who, input=bundle.once(f"probes.{probe}", arguments), timeout=timeout)
        if done.status != 0 or not done.stdout:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise ProbeError(f"the probe {probe} failed: {said}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def holding(
        self, probe: str, who: Principal, /, *, last: dict[str, Any] | None = None, **arguments: Any
    ) -> Iterator[Any]:
        """A probe that does something, says so in one line, and keeps it up until the end of the block.

        What it says in the very end goes into `last`.
        """
        process = self.place.start(bundle.BOOT, who)
        try:
            process.send(bundle.once(f"probes.{probe}", arguments))
            try:
                said = json.loads(process.read_line(timeout=120.0))
            except EOFError as error:
                raise ProbeError(f"the probe {probe} failed: {error}") from None
            yield said
        finally:
            process.close_input()
            done = process.wait(30.0)
            if last is not None and done.stdout:
                last.update(json.loads(done.stdout.splitlines()[-1]))

    def look(self, *paths: str) -> dict[str, dict[str, Any] | None]:
        """What is at these paths, symlinks not followed."""
        seen: dict[str, dict[str, Any] | None] = self.probe("listing", paths=list(paths))
        return seen

    def ask(self, running: RunningServer, who: str, token: str, seconds: float = 10.0) -> dict[str, Any]:
        """One request by a user of the world: `kind, text, seen, seconds`."""
        said: dict[str, Any] = self.probe(
            "question",
            self.principal(who),
            endpoint=running.endpoint,
            speaks=self.subject.speaks,
            token=token,
            seconds=seconds,
        )
        return said

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
