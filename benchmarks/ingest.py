"""Events in, as fast as they come: observatory beside other servers, and beside two limits.

One connection for each event, as hooks do it. Observatory commits every event to its database before it answers; the
others take the JSON apart and keep nothing. Two programs in C are the limits: the loop only reads and answers, which is
all that the machine can do; the same work does what observatory does, with credentials and groups, one SQLite
transaction for each turn, and a line on standard output.
Rounds go through all servers in turn, so that whatever else the machine does meets all of them, and medians are shown.

Then growth: the same with a thousand and with a million events in the database, and what a reading of it takes.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HERE = Path(__file__).parent
LOOP, SAME_WORK, OURS = "loop in C", "same work in C", "observatory"
LIMITS = (LOOP, SAME_WORK)
PEERS = {
    "HTTPServer": "stdlib_server.py",
    "asyncio": "asyncio_server.py",
    "aiohttp": "aiohttp_server.py",
    "uvicorn": "uvicorn_server.py",
}
NEEDS = {"aiohttp": "aiohttp", "uvicorn": "uvicorn"}

LEAST_OF_THE_SAME_WORK = {1: 0.8, 8: 0.7, 64: 0.7}
"""What observatory is to reach with so many clients and the smallest bodies, as a part of the same work's rate in C."""
MOST_OF_ITS_P99 = {8: 1.0, 64: 1.0}
"""With so many clients, 99 of 100 events are to be answered within so many times what the same work takes in C."""
GROWN = 1_000_000
READINGS = [
    "/events?limit=100",
    "/events?session=000003e8-7b6d-4c58-9e0f-1a2b3c4d5e6f&limit=100",
    "/events?user=1003&limit=100",
    "/events?after=500000&limit=100",
]
"""The newest; those of one session among 2,000; of one user among 7; and from the middle on."""
GROWTH = {"rate": 0.9, "query_ms": 5.0, "memory_mb": 60.0}


@dataclass(frozen=True, slots=True)
class Measure:
    """One server under one load, over all rounds."""

    server: str
    clients: int
    body: int
    rate: float
    """Events a second; the median of the rounds, as all that follows."""
    p50_us: float
    p99_us: float
    cpu_us: float
    """Processor time of the server for one event."""
    memory_mb: float
    """The most that the server ever had resident."""
    errors: int
    of_loop: float | None = None
    """This rate as a part of the loop's; the median of what it was in each round, as the two that follow."""
    of_same_work: float | None = None
    p99_of_same_work: float | None = None


@dataclass(slots=True)
class Subject:
    """A server that runs."""

    name: str
    path: str
    process: subprocess.Popen[bytes]
    rounds: list[dict[str, float]] = field(default_factory=list)


def event(size: int) -> bytes:
    """A hook's body of that size: what a command printed, as JSON."""
    said = {
        "session_id": "0f3c2a1e-7b6d-4c58-9e0f-1a2b3c4d5e6f",
        "transcript_path": "/home/alice/.claude/projects/-home-alice-src-app/0f3c2a1e.jsonl",
        "cwd": "/home/alice/src/app",
        "permission_mode": "default",
        "hook_event_name": "PostToolUse",
        "tool_name": "Bash",
        "tool_input": {"command": "pytest -q", "description": "Run the tests"},
        "tool_use_id": "toolu_01ABCDEFGHIJKLMNOPQRSTUV",
        "tool_response": {"stdout": "", "stderr": "", "interrupted": False},
    }
    printed = "tests/test_app.py::test_it\tPASSED [ 42%]\n" * (size // 30)
    empty = len(json.dumps(said))
    kept = printed[: max(0, size - empty)]
    while kept and empty + len(json.dumps(kept)) - 2 > size:
        kept = kept[: -max(1, (empty + len(json.dumps(kept)) - 2 - size) // 2)]
    said["tool_response"] = {"stdout": kept, "stderr": "", "interrupted": False}
    return json.dumps(said).encode()


def request(size: int) -> bytes:
    """A hook's request as curl writes it, with the wish to end the connection, which curl fulfils by itself."""
    body = event(size)
    return (
        b"POST /hook?event=PostToolUse HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n"
        b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def compiled(directory: Path) -> tuple[list[str], dict[str, list[str]]]:
    """The command of the load, and of each limit that can be made, without its socket."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("no cc: no limits in C, and the load is Python's, which takes more of the machine", file=sys.stderr)
        return [sys.executable, str(HERE / "load" / "load.py")], {}
    for source, name in (("load/load.c", "load"), ("peers/loop.c", "loop")):
        subprocess.run([compiler, "-O2", "-pthread", "-o", directory / name, HERE / source], check=True)
    limits = {LOOP: [str(directory / "loop")]}
    same_work = [compiler, "-O2", "-o", str(directory / "store"), str(HERE / "peers" / "store.c"), "-lsqlite3"]
    if subprocess.run(same_work, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        limits[SAME_WORK] = [str(directory / "store")]
    else:
        print(f"no SQLite for C (libsqlite3-dev): {SAME_WORK} is left out", file=sys.stderr)
    return [str(directory / "load")], limits


@contextlib.contextmanager
def running(name: str, directory: Path, command: Sequence[str | Path], path: str) -> Iterator[Subject]:
    """A server, from when it listens."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(directory)},
    )
    try:
        assert process.stderr is not None
        said = b""
        for line in process.stderr:
            said += line
            if line.startswith(b"listening"):  # warnings may come before
                break
        else:
            raise SystemExit(f"{name} does not start: {said.decode()}")
        yield Subject(name, path, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()


def observatory(directory: Path, name: str, *options: str) -> contextlib.AbstractContextManager[Subject]:
    """Ours."""
    path = f"{directory}/{name}.sock"
    command = [sys.executable, "-m", "observatory", "serve", "--socket", path, "--database", f"{directory}/{name}.db"]
    return running(OURS, directory, [*command, *options], path)


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process has used so far; 0 where there is no /proc."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def memory_mb(subject: Subject, which: str = "VmHWM") -> float:
    """The most that was resident, or what is (VmRSS); 0 where there is no /proc."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{subject.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{which}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def loaded(load: Sequence[str], subject: Subject, clients: int, data: bytes, seconds: float) -> dict[str, float]:
    """One round of one server."""
    before = processor_seconds(subject.process)
    done = subprocess.run(
        [*load, subject.path, str(clients), str(seconds), str(seconds / 5)], input=data, capture_output=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    if not found["requests"]:
        raise SystemExit(f"{subject.name} answered nothing in {seconds} seconds: the machine is too busy to measure")
    found["rate"] = found["requests"] / found["seconds"]
    # The warming up is in the processor's time and not in the count, so it's taken off by its part of the time.
    found["cpu_us"] = (processor_seconds(subject.process) - before) / 1.2 / max(1, found["requests"]) * 1e6
    return found


def compared(load: Sequence[str], subjects: Sequence[Subject], options: argparse.Namespace) -> Iterator[Measure]:
    """Every load, each server in turn, round by round."""
    for size in options.bodies:
        data = request(size)
        for clients in options.clients:
            for subject in subjects:
                subject.rounds.clear()
            for round_ in range(options.rounds):
                turn = round_ % len(subjects)
                for subject in (*subjects[turn:], *subjects[:turn]):
                    note(f"{clients} clients, {size} bytes, round {round_ + 1}: {subject.name}")
                    subject.rounds.append(loaded(load, subject, clients, data, options.seconds))
            limits = {subject.name: subject.rounds for subject in subjects if subject.name in LIMITS}
            for subject in subjects:
                yield measure(subject, clients, size, limits)


def measure(subject: Subject, clients: int, size: int, limits: Mapping[str, list[dict[str, float]]]) -> Measure:
    """The medians."""

    def median(name: str) -> float:
        return statistics.median(round_[name] for round_ in subject.rounds)

    def part_of(limit: str, name: str) -> float | None:
        if limit not in limits:
            return None
        rounds = zip(subject.rounds, limits[limit], strict=True)
        return statistics.median(mine[name] / its[name] for mine, its in rounds)

    return Measure(
        subject.name,
        clients,
        size,
        round(median("rate")),
        median("p50_us"),
        median("p99_us"),
        round(median("cpu_us"), 1),
        round(memory_mb(subject), 1),
        int(sum(round_["errors"] for round_ in subject.rounds)),
        part_of(LOOP, "rate"),
        part_of(SAME_WORK, "rate"),
        part_of(SAME_WORK, "p99_us"),
    )


def fill(path: str, count: int) -> None:
    """Put so many events into a database, by the server's own store."""
    from observatory.events import compose, take_apart, timestamp  # noqa: PLC0415 - where it's not installed, the rest runs
    from observatory.identity import PeerCredentials  # noqa: PLC0415
    from observatory.store import open_store  # noqa: PLC0415

    body = event(1024)
    store = open_store(path)
    names = ("PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "Notification")
    while store.last_id < count:
        now = time.time_ns() // 1000
        events = []
        for number in range(store.last_id + 1, min(count, store.last_id + 1000) + 1):
            peer = PeerCredentials(1000 + number % 30_000, 1000 + number % 7, 1000, (1000,))
            said = body.replace(b"0f3c2a1e", b"%08x" % (number // 500), 1)
            events.append(compose(number, now, timestamp(now), names[number % 5], peer, take_apart(said)))
        store.append(events)
        store.index()
        note(f"{store.last_id} events stored")
    while store.unindexed:
        store.index()
    store.close()


def asked(path: str, target: str) -> tuple[float, bytes]:
    """Milliseconds that an answer takes, on a connection of its own, and its body."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{target}: {answer.status} {body.decode()}")
    return (time.perf_counter() - begun) * 1e3, body


def query_ms(subject: Subject, target: str, times: int = 50) -> list[float]:
    """How long a reading takes."""
    found = []
    for _ in range(times):
        took, body = asked(subject.path, target)
        found.append(took)
        if len(body.splitlines()) != 100:
            raise SystemExit(f"{target} gave {len(body.splitlines())} events, not 100")
    return found


def grown(load: Sequence[str], directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """A small and a large database, under the same load in turn."""
    fill(f"{directory}/small.db", 1000)
    fill(f"{directory}/large.db", GROWN)
    data = request(1024)
    with observatory(directory, "small") as small, observatory(directory, "large") as large:
        for round_ in range(options.rounds):
            for subject in (small, large)[:: 1 if round_ % 2 else -1]:
                note(f"growth, round {round_ + 1}")
                subject.rounds.append(loaded(load, subject, 8, data, options.seconds))
        queries = {target: query_ms(large, target) for target in READINGS}
        rates = [statistics.median(round_["rate"] for round_ in subject.rounds) for subject in (small, large)]
        ratio = statistics.median(of["rate"] / to["rate"] for of, to in zip(large.rounds, small.rounds, strict=True))
        memory = memory_mb(large)
    connection = sqlite3.connect(f"file:{directory}/large.db?mode=ro", uri=True)
    stored = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    connection.close()
    return {
        "stored": stored,
        "rate_small": round(rates[0]),
        "rate_large": round(rates[1]),
        "rate": ratio,
        "query_ms": {target: statistics.median(times) for target, times in queries.items()},
        "memory_mb": memory,
        "bytes_an_event": os.stat(f"{directory}/large.db").st_size / stored,
    }


def verdicts(
    measures: Sequence[Measure], growth: dict[str, Any] | None, smallest: int
) -> Iterator[tuple[str, bool, str]]:
    """What was to be reached, whether it was, and what was found."""
    found = {(measure.server, measure.clients, measure.body): measure for measure in measures}
    for (server, clients, body), measure in found.items():
        if server == OURS:
            others = [other for (name, c, b), other in found.items() if (c, b) == (clients, body) and name in PEERS]
            best = max(others, key=lambda other: other.rate, default=None)
            if best is not None:
                says = f"{measure.rate / best.rate:.2f} x {best.server}, the best of them"
                yield f"above every Python server, {clients} clients, {body} bytes", measure.rate > best.rate, says
    for clients, least in LEAST_OF_THE_SAME_WORK.items():
        ours = found.get((OURS, clients, smallest))
        if ours is not None and ours.of_same_work is not None:
            says = f"{ours.of_same_work:.2f}"
            yield f"at least {least} of the same work in C, {clients} clients", ours.of_same_work >= least, says
    for clients, most in MOST_OF_ITS_P99.items():
        ours = found.get((OURS, clients, smallest))
        if ours is not None and ours.p99_of_same_work is not None:
            says = f"{ours.p99_of_same_work:.2f} x"
            yield (
                f"p99 within {most:.1f} x that of the same work, {clients} clients",
                ours.p99_of_same_work <= most,
                says,
            )
    if growth is not None:
        says = f"{growth['rate']:.2f} of the rate with 1,000"
        yield f"the same rate within 10 % with {growth['stored']:,} events", growth["rate"] >= GROWTH["rate"], says
        for target, milliseconds in growth["query_ms"].items():
            says = f"{milliseconds:.2f} ms"
            yield f"{target} under {GROWTH['query_ms']:.0f} ms", milliseconds < GROWTH["query_ms"], says
        says = f"{growth['memory_mb']:.0f} MB"
        yield f"memory under {GROWTH['memory_mb']:.0f} MB", growth["memory_mb"] < GROWTH["memory_mb"], says


def note(text: str) -> None:
    """What is being done, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def shown(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str) -> None:
    """A table; by rich if it is there."""
    try:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.table import Table  # noqa: PLC0415
    except ImportError:
        print(f"\n{title}\n" + "\t".join(headings))
        for row in rows:
            print("\t".join(row))
        return
    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row, style="bold" if row[0] == OURS else None)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def report(measures: Sequence[Measure], growth: dict[str, Any] | None, smallest: int) -> None:
    """Everything for people."""
    headings = ("server", "events/s", "of loop", "of same work", "p50 us", "p99 us", "cpu us", "peak MB", "errors")
    loads = list(dict.fromkeys((measure.body, measure.clients) for measure in measures))
    rows: list[Sequence[str]]
    for body, clients in loads:
        rows = [
            (
                each.server,
                f"{each.rate:,.0f}",
                "" if each.of_loop is None else f"{each.of_loop:.2f}",
                "" if each.of_same_work is None else f"{each.of_same_work:.2f}",
                f"{each.p50_us:,.0f}",
                f"{each.p99_us:,.0f}",
                f"{each.cpu_us:,.0f}",
                f"{each.memory_mb:,.0f}",
                str(each.errors),
            )
            for each in measures
            if (each.body, each.clients) == (body, clients)
        ]
        shown(headings, rows, f"{clients} client{'s' if clients > 1 else ''}, {body:,} bytes")
    if growth is not None:
        rows = [
            ("1,000", f"{growth['rate_small']:,.0f}", "", "", ""),
            (
                f"{growth['stored']:,}",
                f"{growth['rate_large']:,.0f}",
                f"{growth['query_ms']['/events?limit=100']:.2f}",
                f"{growth['memory_mb']:.0f}",
                f"{growth['bytes_an_event']:,.0f}",
            ),
        ]
        shown(("events stored", "events/s", "limit=100, ms", "peak MB", "bytes an event"), rows, "growth, 8 clients")
    rows = [
        (what, "reached" if reached else "NOT reached", says)
        for what, reached, says in verdicts(measures, growth, smallest)
    ]
    shown(("to reach", "", "found"), rows, "what was to be reached")


def sizes(text: str) -> int:
    """Bytes, such as 1024, 1k or 64k."""
    return int(text[:-1]) * 1024 if text.endswith("k") else int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="at once (default: 1 8 64)")
    parser.add_argument("--bodies", type=sizes, nargs="+", default=[1024, 65536], help="bytes (default: 1k 64k)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round (default: 2)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"servers, of: {', '.join([*LIMITS, OURS, *PEERS])}")
    parser.add_argument("--sync", choices=("normal", "full"), default="normal", help="observatory's (default: normal)")
    parser.add_argument("--no-growth", action="store_true", help="leave out the million events")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--strict", action="store_true", help="exit status 1 if anything was not reached")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench") as temporary, contextlib.ExitStack() as servers:
        directory = Path(temporary)
        load, limits = compiled(directory)
        subjects = []
        wanted = options.only or [*LIMITS, OURS, *PEERS]
        for name, command in limits.items():
            if name in wanted:
                path = f"{command[0]}.sock"
                database = [f"{command[0]}.db"] if name == SAME_WORK else []
                subjects.append(servers.enter_context(running(name, directory, [*command, path, *database], path)))
        if OURS in wanted:
            subjects.append(servers.enter_context(observatory(directory, "o", "--sync", options.sync)))
        for peer, file in PEERS.items():
            if peer not in wanted:
                continue
            needs = NEEDS.get(peer)
            if needs is not None and importlib.util.find_spec(needs) is None:
                print(f"no {needs} here: {peer} is left out", file=sys.stderr)
                continue
            path = f"{directory}/{peer}.sock"
            command = [sys.executable, str(HERE / "peers" / file), path]
            subjects.append(servers.enter_context(running(peer, directory, command, path)))
        measures = list(compared(load, subjects, options))
        servers.close()
        growth = None if options.no_growth or OURS not in wanted else grown(load, directory, options)
    note("")
    found = list(verdicts(measures, growth, min(options.bodies)))
    if options.json:
        outcome = [{"to_reach": what, "reached": reached, "found": says} for what, reached, says in found]
        print(json.dumps({"measures": [asdict(each) for each in measures], "growth": growth, "targets": outcome}))
    else:
        report(measures, growth, min(options.bodies))
    return 1 if options.strict and not all(reached for _, reached, _ in found) else 0


if __name__ == "__main__":
    sys.exit(main())
