"""The product in under a minute: `nox -s demo`. Everything that it shows is observed; nothing is scripted."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.engines.protocol import PlaceError
from harness.engines.registry import choose
from harness.oracle import predict, rules_of
from harness.subjects.observatory import OBSERVATORY
from harness.testbed.callers import Call, Callers
from harness.trials.verdict import Verdict, judge
from harness.world import Attempt, Node, User, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Place, Process

SERVE = ("python3", "-m", "observatory", "serve")

CAST = World(
    name="demo",
    about="alice runs observatory; the others try to reach it.",
    groups={"team": 2001},
    users=(
        User("root", 0, 0),
        User("alice", 1500, 1500, ("team",)),
        User("bob", 1501, 1501, ("team",)),
        User("mallory", 1502, 1502),
    ),
    nodes=(
        Node("/home/alice", "directory", "alice", 1500, 0o700),
        Node("/tmp", "directory", "root", "root", 0o1777),
        Node("/run/user/1500", "directory", "alice", 1500, 0o700),
        Node("/srv/team", "directory", "alice", "team", 0o2750),
    ),
)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where alice's server stands, with which mode, and the group that its socket gets."""

    title: str
    socket: str
    mode: int
    group: int | str = 1500
    arguments: tuple[str, ...] = ()

    @property
    def event(self) -> str:
        """What the events sent there are called."""
        return Path(self.socket).stem


PLACEMENTS = (
    Placement("/tmp 0600", "/tmp/private.sock", 0o600),
    Placement("/tmp 0660 team", "/tmp/team.sock", 0o660, "team", ("--group", "team")),
    Placement("/tmp 0666", "/tmp/open.sock", 0o666),
    Placement("/run/user/1500 (0700)\n0666", "/run/user/1500/home.sock", 0o666),
    Placement("/srv/team (2750)\n0660", "/srv/team/project.sock", 0o660, "team"),
)

TCP = ("127.0.0.1", 8080)
TCP_SERVER = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps({"peer": "%s:%d" % self.client_address, **body}), flush=True)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *arguments): pass
server = http.server.HTTPServer(("127.0.0.1", 8080), Handler)
print("listening", flush=True)
server.serve_forever()
"""


def _claim(user: str) -> dict[str, Any]:
    """A body in which its sender pretends to be somebody else: root to be alice, everybody else to be root."""
    return {"user": user, "_peer_uid": 1500 if user == "root" else 0, "_peer_pid": 1}


@contextlib.contextmanager
def _observatory(place: Place, placement: Placement) -> Iterator[Process]:
    process = place.start(
        [*SERVE, "--socket", placement.socket, "--mode", f"{placement.mode:04o}", *placement.arguments],
        CAST.principal("alice"),
        environment={"HOME": "/home/alice", **OBSERVATORY.environment},
    )
    process.read_line("stderr")
    try:
        yield process
    finally:
        process.signal(signal.SIGTERM)
        process.wait()


def _world(placement: Placement) -> World:
    socket = Node(placement.socket, "socket", "alice", placement.group, placement.mode)
    attempts = tuple(Attempt(user.name, "connect", placement.socket) for user in CAST.users)
    return replace(CAST, nodes=(*CAST.nodes, socket), attempts=attempts)


def _try_placement(
    place: Place, callers: Callers, placement: Placement
) -> tuple[list[Verdict], list[tuple[str, Call, dict[str, Any]]]]:
    world = _world(placement)
    verdicts, events = [], []
    with _observatory(place, placement) as server:
        decisions = predict(world, world.attempts, rules_of(place.facts))
        for attempt, decision, seen in zip(world.attempts, decisions, place.attempt(world.attempts), strict=True):
            verdicts.append(judge(attempt, decision, replace(seen, credentials=None, process=None)))
            call = callers.call(attempt.user, placement.socket, _claim(attempt.user), f"/hook?event={placement.event}")
            if call.outcome == "ok":
                events.append((attempt.user, call, json.loads(server.read_line())))
    return verdicts, events


def _matrix(rows: list[tuple[str, dict[str, Text]]]) -> Table:
    table = Table(title="Who gets in", title_style="bold", show_lines=True)
    table.add_column("where")
    for user in CAST.users:
        groups = "".join(f", {group}" for group in user.groups)
        table.add_column(f"{user.name}\n[dim]{user.uid}{groups}[/]", overflow="fold")
    for title, cells in rows:
        table.add_row(title, *(cells[user.name] for user in CAST.users))
    return table


def _cell(verdict: Verdict) -> Text:
    outcome = verdict.observation.outcome
    cell = Text("in", "bold green") if outcome == "ok" else Text(outcome, "bold red")
    if verdict.observation.at is not None and outcome != "ok":
        here = verdict.observation.at == verdict.attempt.path
        cell.append("\nat the socket" if here else f"\nat {verdict.observation.at}", "red")
    if not verdict.agree:
        cell.append("\n! " + "; ".join(verdict.differences), "bold yellow")
    return cell


def _senders(events: list[tuple[str, Call, dict[str, Any]]]) -> Table:
    table = Table(
        title="What observatory wrote down at /tmp, mode 0666: the kernel's word beside the claim", title_style="bold"
    )
    for heading in ("event", "pid", "uid", "gid", "groups", "the process that sent it", "its claim"):
        table.add_column(heading)
    for user, call, event in events:
        process = call.process
        assert process is not None
        true = (process.pid, process.uid, process.gid) == (event["_peer_pid"], event["_peer_uid"], event["_peer_gid"])
        table.add_row(
            str(event["_event"]),
            str(event["_peer_pid"]),
            Text(str(event["_peer_uid"]), "bold green" if true else "bold red"),
            str(event["_peer_gid"]),
            " ".join(str(group) for group in event.get("_peer_groups", ())),
            f"{user}: pid {process.pid}, uid {process.uid}",
            Text(f"uid {_claim(user)['_peer_uid']}: {'dropped' if true else 'BELIEVED'}", "" if true else "bold red"),
        )
    return table


def _try_tcp(place: Place, callers: Callers) -> tuple[dict[str, Text], list[dict[str, Any]]]:
    server = place.start(["python3", "-c", TCP_SERVER], CAST.principal("alice"))
    server.read_line()
    cells: dict[str, Text] = {}
    seen = []
    for user in CAST.users:
        call = callers.call(user.name, TCP, _claim(user.name))
        cells[user.name] = Text("in", "bold green") if call.outcome == "ok" else Text(call.outcome, "bold red")
        if call.outcome == "ok":
            seen.append(json.loads(server.read_line()))
    server.signal(signal.SIGTERM)
    server.wait()
    return cells, seen


def show(console: Console, engine_name: str) -> bool:
    """Run the demonstration; whether the oracle and the kernel agreed throughout, and no claim was believed."""
    begun = time.monotonic()
    with console.status("choosing an engine"):
        engine = choose(engine_name)
    with console.status(f"{engine.name}: bringing observatory into a place of its own"):
        place = engine.open(mounts=OBSERVATORY.install(engine, None))
    rows: list[tuple[str, dict[str, Text]]] = []
    verdicts: list[Verdict] = []
    events: list[tuple[str, Call, dict[str, Any]]] = []
    with place:
        place.build(CAST)
        kernel = f"{place.facts.system} {place.facts.kernel}"
        console.print(f"A place in [bold]{engine.name}[/] on {kernel}: users root, alice, bob (team) and mallory.")
        with Callers(place, CAST) as callers:
            for placement in PLACEMENTS:
                with console.status(f"alice serves at {placement.socket}; everybody tries"):
                    judged, sent = _try_placement(place, callers, placement)
                rows.append((placement.title, {verdict.attempt.user: _cell(verdict) for verdict in judged}))
                verdicts += judged
                events += sent
            with console.status("the same users try a TCP port"):
                cells, seen = _try_tcp(place, callers)
            rows.append(("TCP 127.0.0.1", cells))
    console.print(_matrix(rows))
    console.print("[bold]Why[/]")
    for verdict in verdicts:
        if verdict.observation.outcome != "ok":
            console.print(f"  [red]-[/] {escape(verdict.decision.why)}", highlight=False)
    console.print(_senders([sent for sent in events if sent[2]["_event"] == "open"]))
    names = sorted({str(line["peer"]).rpartition(":")[0] for line in seen})
    claimed = sorted({line["_peer_uid"] for line in seen})
    console.print(
        f"[bold]Over TCP[/] {len(seen)} of {len(CAST.users)} got in. The server saw {' and '.join(names)} for all "
        f"of them, and has no way to doubt their claims to be uid {' or '.join(map(str, claimed))}.",
        highlight=False,
    )
    disagreements = sum(not verdict.agree for verdict in verdicts)
    believed = sum(call.process is None or event["_peer_uid"] != call.process.uid for _, call, event in events)
    console.print(
        f"{len(verdicts)} attempts, {disagreements} disagreements between the oracle and the kernel, "
        f"{len(events)} events, {believed} forged senders, {time.monotonic() - begun:.1f} s.",
        style="bold",
    )
    return not disagreements and not believed


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m harness.showcase.demo", description=__doc__)
    parser.add_argument("--engine", default="auto", help="docker, namespace or auto (the default)")
    options = parser.parse_args()
    try:
        return 0 if show(Console(), options.engine) else 1
    except PlaceError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 69


if __name__ == "__main__":
    raise SystemExit(main())
