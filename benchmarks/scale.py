"""A database that grows to ten million events: what each step takes, and where the curve bends.

Filled by the server's own store. At each size the server is started, asked, looked at through the page, and sent hooks
by 8 clients at once, as in `ingest.py`; at the largest a fifth of the events is deleted by `--retain` beside hooks that
are timed, and then the database is compacted. Ten million events take 8 GB, and up to 20 GB while they are compacted;
the directory is `--directory` or the usual one for temporary files, and is emptied in the end.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import re
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crowds import middle_and_most, say
from ingest import asked, compiled, loaded, memory_mb, note, observatory, processor_seconds, request, shown

from observatory.events import compose, take_apart, timestamp
from observatory.identity import PeerCredentials
from observatory.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
USERS, EVENTS_A_SESSION = 10_000, 2_000
DAYS = 100
"""From the first event to the last."""
RETAINED = 80
ROOM = 2_000
"""Bytes of disk for an event: some 800 in the file, and twice that while it is compacted with a fifth less in it."""
BODY = (
    b'{"session_id":"%08x-7b6d-4c58-9e0f-1a2b3c4d5e6f","cwd":"/home/alice/src/app","hook_event_name":"PostToolUse",'
    b'"tool_name":"%s","tool_use_id":"toolu_%012d","tool_input":{"command":"make test"},"tool_response":{"stdout":'
    b'"tests/test_app.py::test_it PASSED","stderr":"","interrupted":false}}'
)
NAMES = ("PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "Notification")
TOOLS = (b"Bash", b"Read", b"Edit", b"Grep", b"Write")
ROUNDS, QUESTIONS = 5, 20
QUIET = 5.0
"""Seconds in which no free page is given back, after which none is waited for any more."""


@dataclass(slots=True)
class Step:
    """What was found at one size; times in milliseconds unless the name says otherwise."""

    events: int
    megabytes: float
    start: float
    rate: float
    """Events a second with 8 clients."""
    cpu_us: float
    """Processor time of the server for one of these."""
    memory_mb: float
    page: float
    """From the start of `observatory web` until the page has all its rows."""
    queries: dict[str, float] = field(default_factory=dict)


def fill(path: str, count: int, begin: int, step: int) -> None:
    """Let a database grow to so many events, one each `step` microseconds since `begin`."""
    store = open_store(path)
    while store.last_id < count:
        events = []
        for number in range(store.last_id + 1, min(count, store.last_id + 1000) + 1):
            made = begin + number * step
            uid = 1000 + number % USERS
            peer = PeerCredentials(1000 + number % 30_000, uid, uid, (uid,))
            said = BODY % (number // EVENTS_A_SESSION, TOOLS[number % len(TOOLS)], number)
            name = NAMES[number % len(NAMES)]
            events.append(compose(number, made, timestamp(made), name, peer, take_apart(said)))
        store.append(events)
        while store.unindexed:
            store.index()
        if store.last_id % 100_000 == 0:
            note(f"{store.last_id:,} events stored")
    store.close()


def questions(count: int, begin: int, step: int) -> dict[str, str]:
    """What is asked of so many events. Each answer is 100 of them."""
    middle = count // 2
    since = timestamp(begin + middle * step)
    return {
        "newest": "/events?limit=100",
        "from the middle": f"/events?after={middle}&limit=100",
        "a session's": f"/events?session={middle // EVENTS_A_SESSION:08x}-7b6d-4c58-9e0f-1a2b3c4d5e6f&limit=100",
        "a user's": f"/events?user={1000 + middle % USERS}&limit=100",
        "a tool's, by name": "/events?tool=Grep&event=Stop&limit=100",
        "since a time": f"/events?since={since}&after=0&limit=100",
    }


def page_ms(path: str, directory: Path, newest: int) -> float:
    """Milliseconds from the start of `observatory web` until its stream has told of the newest event."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "observatory", "web", "--socket", path]
    environment = {**os.environ, "HOME": str(directory), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        try:
            assert process.stdout is not None
            lines = (line.decode() for line in process.stdout)
            link = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
            _read_stream(link, newest)
            return (time.perf_counter() - begun) * 1e3
        finally:
            process.terminate()


def _read_stream(link: str, newest: int) -> None:
    """As the page does it, until a row of this event has come."""
    host, _, path = link.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{path}")
    entry = connection.getresponse()
    cookie = str(entry.getheader("Set-Cookie")).partition(";")[0]
    key = re.findall(r"#key=([\w-]+)", entry.read().decode())[0]
    connection.request("GET", f"/api/stream?key={key}", headers={"Cookie": cookie})
    answer = connection.getresponse()
    while b"[%d," % newest not in answer.readline():
        if answer.isclosed():
            raise SystemExit(f"the page's stream has ended: {answer.status}")
    connection.close()


def started_ms(directory: Path, *options: str) -> float:
    """Milliseconds from a server's start until it listens, the median of some."""
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        with observatory(directory, "grown", *options):
            found.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(found)


def measured(load: Sequence[str], directory: Path, count: int, options: argparse.Namespace) -> Step:
    """Everything at one size, and the database is left."""
    step = DAYS * 86_400 * 1_000_000 // count
    begin = time.time_ns() // 1000 - count * step
    database = directory / "grown.db"
    fill(str(database), count, begin, step)
    size = database.stat().st_size / 1e6
    start = started_ms(directory)
    with observatory(directory, "grown") as subject:
        queries = {}
        for name, target in questions(count, begin, step).items():
            note(f"{count:,} events: {name}")
            found = [asked(subject.path, target) for _ in range(QUESTIONS)]
            expected = min(100, count // USERS) if name == "a user's" else 100
            given = {lines.count(b"\n") for _, lines in found}
            if given != {expected}:
                raise SystemExit(f"{target} gave {given} events, not {expected}")
            queries[name] = statistics.median(took for took, _ in found)
        page = page_ms(subject.path, directory, count)
        note(f"{count:,} events: hooks")
        rounds = [loaded(load, subject, 8, request(1024), options.seconds) for _ in range(ROUNDS)]
        rate, cpu = (statistics.median(each[name] for each in rounds) for name in ("rate", "cpu_us"))
        return Step(count, size, start, rate, cpu, memory_mb(subject), page, queries)


def hook_times(path: str, more: Callable[[], bool]) -> list[float]:
    """Milliseconds that hooks take, one after the other, as long as there are to be more."""
    data = request(1024)
    found = []
    while more():
        found.append(say(path, data))
        time.sleep(0.005)  # nothing is waited for: hooks without a pause would be a load of their own
    return sorted(found)


def first_id(path: str) -> int:
    """The oldest event that the server has."""
    _, line = asked(path, "/events?after=0&limit=1")
    return int(line[len(b'{"_id":') : line.index(b",")])


def retention(directory: Path, count: int) -> Iterator[tuple[str, str]]:
    """Delete a fifth by age, and have the file become smaller, beside hooks."""
    database = directory / "grown.db"
    before = database.stat().st_size
    oldest = count * (DAYS - RETAINED) // DAYS
    with observatory(directory, "grown", "--retain", f"{RETAINED}d") as subject:
        begun = time.monotonic()

        def deleting() -> bool:
            note(f"{(found := first_id(subject.path)):,} is the oldest event")
            return found < oldest

        times = hook_times(subject.path, deleting)
        took = time.monotonic() - begun
        used = processor_seconds(subject.process)
        last, quiet = 0, time.monotonic()
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as looking:

            def shrinking() -> bool:
                nonlocal last, quiet
                free = int(looking.execute("PRAGMA freelist_count").fetchone()[0])
                note(f"{free:,} pages are free")
                if free != last:
                    last, quiet = free, time.monotonic()
                return free > 0 and time.monotonic() - quiet < QUIET

            shrunk = hook_times(subject.path, shrinking)
        smaller = quiet - begun - took
    given = (before - database.stat().st_size) / 1e6
    yield "deleted", f"{oldest:,} events in {took:.0f} s, {used / oldest * 1e6:.1f} us of the processor each"
    yield "a hook meanwhile", hooks_took(times)
    yield "given back to the disk", f"{given:,.0f} of {before / 1e6:,.0f} MB in {smaller:.0f} s"
    yield "a hook meanwhile", hooks_took(shrunk)


def hooks_took(times: Sequence[float]) -> str:
    """What is said of milliseconds in their order."""
    middle, most = middle_and_most(times)
    return f"{middle:.1f} ms, 99 of 100 within {most:.1f} ms"


def compaction(directory: Path) -> Iterator[tuple[str, str]]:
    """Write it anew."""
    note("compacting")
    database = directory / "grown.db"
    before, used, begun = database.stat().st_size, resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "observatory", "compact", "--database", str(database)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    took, now = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    sizes = f"{before / 1e6:,.0f} MB, then {database.stat().st_size / 1e6:,.0f} MB"
    yield "compacted", f"{sizes}, in {took:.0f} s, {cpu:.0f} s of the processor"


def curve(steps: Sequence[Step]) -> Iterator[str]:
    """How each figure goes from size to size, as bars."""
    figures: dict[str, tuple[list[float], str]] = {
        "events a second": ([step.rate for step in steps], "{:,.0f}"),
        "start, ms": ([step.start for step in steps], "{:.0f}"),
        "page, ms": ([step.page for step in steps], "{:.0f}"),
    }
    for name in steps[0].queries:
        figures[f"{name}, ms"] = [step.queries[name] for step in steps], "{:.2f}"
    for name, (values, form) in figures.items():
        yield name
        for step, value in zip(steps, values, strict=True):
            yield f"{step.events:>12,} {'█' * max(1, round(40 * value / max(values)))} {form.format(value)}"


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=SIZES[-1], help="at the most (default: 10000000)")
    parser.add_argument("--directory", help="where there is room for them")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round of hooks (default: 2)")
    options, _ = parser.parse_known_args()
    sizes = [size for size in SIZES if size <= options.events] or [options.events]
    with tempfile.TemporaryDirectory(prefix="scale", dir=options.directory) as temporary:
        directory = Path(temporary)
        if (free := shutil.disk_usage(directory).free) < (needed := ROOM * sizes[-1]):
            print(
                f"{needed / 1e9:.0f} GB are needed, {free / 1e9:.0f} are free: --events or --directory", file=sys.stderr
            )
            return 1
        load, _ = compiled(directory)
        steps = []
        for size in sizes:
            for file in directory.glob("grown.db*"):
                file.unlink()
            steps.append(measured(load, directory, size, options))
            note("")
            print(steps[-1], file=sys.stderr)  # the next one takes ten times as long, and may be broken off
        ends = [*retention(directory, sizes[-1]), *compaction(directory)]
    note("")
    headings = ("events", "MB", "bytes each", "start ms", "page ms", "events/s", "cpu us", "peak MB")
    rows = [
        (
            *(f"{step.events:,}", f"{step.megabytes:,.0f}", f"{step.megabytes * 1e6 / step.events:.0f}"),
            *(f"{step.start:.0f}", f"{step.page:.0f}", f"{step.rate:,.0f}", f"{step.cpu_us:.0f}"),
            f"{step.memory_mb:.0f}",
        )
        for step in steps
    ]
    shown(headings, rows, "growth")
    asked_for = [
        (f"{step.events:,}", *(f"{milliseconds:.2f}" for milliseconds in step.queries.values())) for step in steps
    ]
    shown(("events", *steps[0].queries), asked_for, "100 events of them, ms")
    shown(("", "found"), ends, f"{sizes[-1]:,} events grow old")
    print(*curve(steps), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
