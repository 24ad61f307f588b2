"""A TCP port and a Unix socket, side by side: each answer is an experiment, made here and now in a place."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.engines import bundle
from harness.engines.protocol import PlaceError
from harness.engines.terminal import setpriv
from harness.report.checks_html import Comparison
from harness.subjects import SUBJECTS
from harness.subjects.tcp import PORT
from harness.testbed.testbed import Testbed
from harness.world import ROOT, Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Engine, Process
    from harness.inside.reports import ClaimReport, QuestionReport
    from harness.testbed.server import RunningServer

PACKAGES = ("iproute2", "nftables")
"""What lays a cable and raises a firewall in the place."""
HERE, THERE = "10.111.0.1", "10.111.0.2"
"""Two ends of a cable between the place's network and another one."""
LOOPBACK, EVERYWHERE = f"tcp:127.0.0.1:{PORT}", f"tcp:{HERE}:{PORT}"
SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Both servers, running in one place as one user."""

    testbed: Testbed
    unix: RunningServer
    tcp: Process

    def ask(self, who: str, endpoint: str, token: str, **claims: Any) -> ClaimReport:
        """One event by a user: how it was answered, and the sender's true ids."""
        lie = {"label": token, **claims}
        return self.testbed.probe(
            "claim",
            self.testbed.principal(who),
            endpoint=endpoint,
            speaks="hooks",
            who=token,
            lies=[lie],
            seconds=SECONDS,
        )

    def knock(self, who: str, endpoint: str) -> str:
        """Whether a user gets in: `accepted`, or the errno name of the refusal."""
        said = self.testbed.probe(
            "question",
            self.testbed.principal(who),
            endpoint=endpoint,
            speaks="nothing",
            token="",
            seconds=SECONDS,
        )
        return said["kind"]

    def recorded(self, said: ClaimReport) -> tuple[str, str]:
        """Whom a server wrote down for an answered event, and who it was."""
        event = self.unix.event(said["token"], 5.0)
        if event is None:
            event = _event(self.tcp, said["token"])
        ids = ", ".join(f"{key} {_word(event.get(f'_peer_{key}'))}" for key in ("pid", "uid", "gid"))
        process = said["process"]
        return ids, f"pid {process['pid']}, uid {process['uid']}, gid {process['gid']}"


def _word(value: object) -> str:
    return "unknown" if value is None else str(value)


def _event(process: Process, token: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(process.read_line(timeout=5.0))
        if event.get("session_id") == token:
            return event


def compare(engine: Engine) -> Iterator[Comparison]:
    """Make every experiment in one new place, which needs an engine with images. Raises PlaceError."""
    observatory, tcp = SUBJECTS["observatory"], replace(SUBJECTS["tcp"], packages=PACKAGES)
    image = engine.image_with(tcp.suite, tcp.packages)
    mounts = (*observatory.install(engine, image), *tcp.install(engine, image))
    with engine.open(image=image, mounts=mounts) as place:
        testbed = Testbed(place, observatory, mode=0o660, owner="alice", group=None)
        for experiment in EXPERIMENTS:
            testbed.lay()
            with testbed.serve() as unix:
                server = _serve_tcp(testbed, "0.0.0.0")
                try:
                    yield experiment(Stage(testbed, unix, server))
                finally:
                    _end(server)


def _serve_tcp(testbed: Testbed, host: str) -> Process:
    """Start the TCP server as the same user, and wait until it answers."""
    tcp = SUBJECTS["tcp"]
    command = [host if word == "127.0.0.1" else word for word in tcp.command]
    process = testbed.place.start(command, testbed.principal(testbed.owner), environment=dict(tcp.environment))
    testbed.probe("ready", endpoint=LOOPBACK, speaks="hooks", pid=process.pid, seconds=20.0)
    return process


def _must(testbed: Testbed, *command: str) -> None:
    """Run a command as root. Raises PlaceError if it fails: then nothing was seen."""
    done = testbed.root(*command)
    if done.status != 0:
        raise PlaceError(f"{' '.join(command)} failed in the place: {' '.join(done.stderr.split())}")


def _end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.signal(9)
    process.wait()


def who_can_connect(stage: Stage) -> Comparison:
    """Everyone knocks at both."""
    names = [user.name for user in stage.testbed.world.users if user.capabilities is None]
    seen = {
        endpoint: {name: stage.knock(name, endpoint) for name in names} for endpoint in (LOOPBACK, stage.unix.endpoint)
    }
    return Comparison(
        "who can connect",
        _who(seen[LOOPBACK]),
        f"mode 0660 of {stage.testbed.owner}: {_who(seen[stage.unix.endpoint])}",
    )


def _who(outcomes: dict[str, str]) -> str:
    admitted = [name for name, outcome in outcomes.items() if outcome == "accepted"]
    refused = [f"{name} ({outcome})" for name, outcome in outcomes.items() if outcome != "accepted"]
    return f"these got in: {', '.join(admitted)}" + (
        f"; refused: {', '.join(refused)}" if refused else "; nobody was refused"
    )


def identity(stage: Stage) -> Comparison:
    """A member sends an event to each; what each wrote down."""
    cells = []
    for endpoint in (LOOPBACK, stage.unix.endpoint):
        recorded, true = stage.recorded(stage.ask("member", endpoint, f"identity-{endpoint[:3]}"))
        cells.append(f"member ({true}) was written down as {recorded}")
    return Comparison("whom the server knows", *cells)


def forgeable(stage: Stage) -> Comparison:
    """A member claims to be root in the payload."""
    cells = []
    for endpoint in (LOOPBACK, stage.unix.endpoint):
        lie = {"_peer_pid": 1, "_peer_uid": 0, "_peer_gid": 0}
        recorded, true = stage.recorded(stage.ask("member", endpoint, f"forged-{endpoint[:3]}", body=lie))
        cells.append(f"member ({true}) claimed pid 1, uid 0, gid 0, and was written down as {recorded}")
    return Comparison("whether a sender can be forged", *cells)


def exposure(stage: Stage) -> Comparison:
    """Clients in another network name space, at the other end of a cable."""
    testbed = stage.testbed
    other = testbed.place.start(["unshare", "--net", "sh", "-c", "echo there; exec sleep 600"], ROOT)
    other.read_line()
    inside = ["nsenter", "--target", str(other.pid), "--net"]
    try:
        for command in (
            [*inside, "ip", "link", "set", "lo", "up"],
            ["ip", "link", "add", "harness0", "type", "veth", "peer", "name", "harness1"],
            ["ip", "link", "set", "harness1", "netns", str(other.pid)],
            ["ip", "address", "add", f"{HERE}/24", "dev", "harness0"],
            ["ip", "link", "set", "harness0", "up"],
            [*inside, "ip", "address", "add", f"{THERE}/24", "dev", "harness1"],
            [*inside, "ip", "link", "set", "harness1", "up"],
        ):
            _must(testbed, *command)
        open_port = _knock_from(testbed, inside, "stranger", EVERYWHERE)
        loopback = _knock_from(testbed, inside, "stranger", LOOPBACK)
        path = {name: _knock_from(testbed, inside, name, stage.unix.endpoint) for name in ("stranger", "member")}
    finally:
        _end(other)
        testbed.root("ip", "link", "delete", "harness0")
    return Comparison(
        "from another network name space",
        f"bound to 0.0.0.0: stranger {_got(open_port)}; to 127.0.0.1: {_got(loopback)}",
        f"where the same directory is visible, the mode decides as at home: stranger {_got(path['stranger'])}, "
        f"member {_got(path['member'])}; elsewhere there is nothing to connect to",
    )


def _got(outcome: str) -> str:
    return "got in" if outcome == "accepted" else f"got {outcome}"


def _knock_from(testbed: Testbed, inside: list[str], who: str, endpoint: str) -> str:
    question = bundle.delivery(
        "harness.inside.probes.question", endpoint=endpoint, speaks="nothing", token="", seconds=SECONDS
    )
    command = [*inside, *setpriv(testbed.principal(who)), *bundle.COMMAND]
    report: QuestionReport = json.loads(testbed.place.run(command, ROOT, input=question, timeout=30.0).stdout)
    return report["kind"]


def conflicts(stage: Stage) -> Comparison:
    """A stranger takes the name first."""
    testbed = stage.testbed
    _end(stage.tcp)
    thief = testbed.place.start(
        [word if word != "127.0.0.1" else "0.0.0.0" for word in SUBJECTS["tcp"].command],
        testbed.principal("stranger"),
        environment=dict(SUBJECTS["tcp"].environment),
    )
    testbed.probe("ready", endpoint=LOOPBACK, speaks="hooks", pid=thief.pid, seconds=20.0)
    try:
        late = testbed.place.run(
            SUBJECTS["tcp"].command, testbed.principal(testbed.owner), environment=dict(SUBJECTS["tcp"].environment)
        )
        told = stage.ask("member", LOOPBACK, "meant-for-alice")
        overheard = _event(thief, told["token"])
    finally:
        _end(thief)
    (tried,) = testbed.attempt(Attempt("stranger", "bind", f"{testbed.directory}/other.sock"))
    error = late.stderr.strip().splitlines()[-1]
    return Comparison(
        "when another user takes the name first",
        f"stranger took port {PORT}; {testbed.owner}'s server ended with {late.status} ({error}), and the event "
        f"that member sent to {LOOPBACK} was written down by stranger ({overheard['session_id']})",
        f"stranger may not bind in {testbed.directory}: {tried.outcome} at {tried.at}",
    )


def firewall(stage: Stage) -> Comparison:
    """Everything that goes through the network is dropped."""
    testbed = stage.testbed
    rules = "add table inet harness; add chain inet harness drops { type filter hook input priority 0; policy drop; }"
    _must(testbed, "nft", rules)
    try:
        cells = [
            stage.ask(testbed.owner, endpoint, f"dropped-{endpoint[:3]}")["kind"]
            for endpoint in (LOOPBACK, stage.unix.endpoint)
        ]
    finally:
        testbed.root("nft", "delete table inet harness")
    return Comparison(
        "behind a firewall that drops everything",
        f"even {testbed.owner} on the same machine got {cells[0]}",
        f"{testbed.owner} was {cells[1]}: no packet, no rule",
    )


def access_control(stage: Stage) -> Comparison:
    """One chmod, and who gets in then."""
    testbed = stage.testbed
    names = [user.name for user in testbed.world.users if user.capabilities is None]
    testbed.root("chmod", "0600", stage.unix.endpoint)
    path = {name: stage.knock(name, stage.unix.endpoint) for name in names}
    port = {name: stage.knock(name, LOOPBACK) for name in names}
    return Comparison(
        "after `chmod 0600`",
        f"there is nothing to change: {_who(port)}",
        f"at once, without a restart: {_who(path)}",
    )


EXPERIMENTS: tuple[Callable[[Stage], Comparison], ...] = (
    who_can_connect,
    identity,
    forgeable,
    exposure,
    conflicts,
    firewall,
    access_control,
)
