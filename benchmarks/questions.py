"""What questions about events take of the processor, with 200,000 events of 40 sessions stored.

Each command is run beside a running server, and what it takes with what the server takes for it is counted, less what
it takes to start Python and end (`whoami`); the time to its first byte is a clock's. Each is the median of five rounds;
how busy the machine was meanwhile, tells a `python -c pass` before each. To reach: 100 ms, for each one whose answer is
a screenful. What reads all events is held to nothing, and has beside it what it
takes to read their lines and to decode them. Then what the page asks for, of the same events. Exits 1 if a question
takes more.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from ingest import observatory, processor_seconds
from rich.console import Console
from rich.table import Table

from observatory.client.client import Client
from observatory.events import compose, take_apart, timestamp
from observatory.feed.conversation import conversation
from observatory.feed.feed import Feed
from observatory.feed.search import steps
from observatory.feed.source import ServerSource
from observatory.identity import PeerCredentials
from observatory.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest import Subject

EVENTS, SESSIONS, ROUNDS = 200_000, 40, 5
MOST = 0.1
LIMIT = ["--limit", "100"]
BY_TOOL = "SELECT tool, count(*), max(id) FROM events GROUP BY tool"
QUESTIONS: dict[str, list[str]] = {
    "whoami": ["whoami"],
    "files": ["files"],
    "files --diff": ["files", "--diff"],
    "commands": ["commands"],
    "failures": ["failures"],
    "durations": ["durations"],
    "sessions": ["sessions"],
    "events --limit 100": ["events", *LIMIT],
    "- --event, of 3 %": ["events", "--event", "PostToolUseFailure", *LIMIT],
    "- --event, two": ["events", "--event", "PostToolUse", "--event", "PostToolUseFailure", *LIMIT],
    "- --tool": ["events", "--tool", "mcp__git__issue", *LIMIT],
    "- --session, --tool": ["events", "--session", "session-07", "--tool", "Edit", *LIMIT],
    "- --session, its beginning": ["events", "--session", "session-0", *LIMIT],
    "- --user": ["events", "--user", str(os.geteuid()), *LIMIT],
    "- --since 20m": ["events", "--since", "20m", *LIMIT],
    "- --until 20h": ["events", "--until", "20h", *LIMIT],
    "- a text": ["events", "make test-4", *LIMIT],
    "- tool=ba and a text": ["events", "tool=ba", "make test-4", *LIMIT],
    "sql, by tool": ["sql", BY_TOOL],
    "sql, by session": ["sql", "SELECT session, count(*) FROM events GROUP BY session"],
    "sql, by hour": ["sql", "SELECT substr(time, 1, 13) AS hour, count(*) FROM events GROUP BY hour"],
    "sql --since 20m": ["sql", "--since", "20m", BY_TOOL],
    "cost, of 200 transcripts": ["cost"],
}
"""What is answered by a screenful."""
WHOLE: dict[str, list[str]] = {
    "sql, mean of durations": ["sql", "SELECT tool, avg(duration_ms) FROM events GROUP BY tool"],
    "sql of whole events": ["sql", "SELECT count(*) FROM events WHERE line LIKE '%make test-4%'"],
    "sql --limit, in memory": ["sql", "--limit", str(EVENTS), BY_TOOL],
    "durations of all": ["durations", "--limit", str(EVENTS)],
    "events --since 20m": ["events", "--since", "20m"],
    "events, all": ["events"],
    "a text of the oldest events": ["events", "toolu_00000003", *LIMIT],
    "export --format csv": ["export", "--format", "csv"],
    "export --format jsonl": ["export", "--format", "jsonl"],
}
"""What reads all events, or what has been read of all."""


def bodies(count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What sessions say, in turns: prompts, tools of all kinds, some that fail, and the end of a turn."""
    some = random.Random(1)  # noqa: S311 - no secret
    tools = ("Bash", "Read", "Edit", "Grep", "Write", "Glob", "WebFetch", "Agent", "mcp__git__issue")
    for number in range(count // 2):
        session = f"session-{number % SESSIONS:02}"
        common = {"session_id": session, "cwd": f"/home/alice/project-{number % 7}", "transcript_path": f"/t/{session}"}
        tool = some.choice(tools)
        path = f"/home/alice/project-{number % 7}/src/module_{some.randrange(200)}.py"
        text = f"line {number}\n" * some.randrange(1, 20)
        given = {
            "Bash": {"command": f"make test-{number % 50} && echo done", "description": "Run the tests"},
            "Edit": {"file_path": path, "old_string": text, "new_string": text + "one more\n"},
            "Write": {"file_path": path, "content": text},
        }.get(tool, {"path": path, "pattern": "def main"})
        said = {**common, "tool_name": tool, "tool_input": given, "tool_use_id": f"toolu_{number:08}"}
        yield "PreToolUse", said
        took = {"duration_ms": int(some.lognormvariate(6, 2))}
        if number % 31 == 0:
            yield "PostToolUseFailure", {**said, "error": f"Exit code 1: {number % 9} failed", **took}
        else:
            yield "PostToolUse", {**said, "tool_response": {"stdout": text}, **took}


def fill(path: str, count: int) -> None:
    """A database of so many events, whose last one is of now and whose first of a day ago."""
    store = open_store(path)
    peer = PeerCredentials(os.getpid(), os.geteuid(), os.getegid(), ())
    now = time.time_ns() // 1000
    step = 86_400 * 1_000_000 // count
    events = []
    for number, (name, body) in enumerate(bodies(count), 1):
        made = now - (count - number) * step
        events.append(compose(number, made, timestamp(made), name, peer, take_apart(json.dumps(body).encode())))
        if len(events) == 1000:
            store.append(events)
            events.clear()
    if events:
        store.append(events)
    while store.unindexed:
        store.index()
    store.close()


def transcripts(home: Path) -> None:
    """Two hundred transcripts, each of forty answers."""
    folder = home / "projects" / "p"
    folder.mkdir(parents=True)
    for number in range(200):
        with (folder / f"{number:08}.jsonl").open("w", encoding="utf-8") as file:
            for answer in range(40):
                usage = {"input_tokens": 5, "output_tokens": 100, "cache_read_input_tokens": 20_000}
                message = {
                    "model": "claude-sonnet-4-5",
                    "id": f"m{number}-{answer}",
                    "usage": usage,
                    "content": "x" * 500,
                }
                said = {"type": "assistant", "sessionId": f"{number:08}", "timestamp": "2026-01-01T00:00:00Z"}
                print(json.dumps({**said, "requestId": f"r{answer}", "message": message}), file=file)


class Question(NamedTuple):
    """What a question took: of the processor, with what the server took for it, until its first byte, and in all."""

    used: float
    first: float
    clock: float
    size: int


def measured(subject: Subject, words: list[str]) -> Question:
    """Run a command."""
    before, server = resource.getrusage(resource.RUSAGE_CHILDREN), processor_seconds(subject.process)
    begun = time.perf_counter()
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with subprocess.Popen(
        [sys.executable, "-m", "observatory", *words, "--socket", subject.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**variables, "CLAUDE_CONFIG_DIR": f"{Path(subject.path).parent}/home"},
    ) as command:
        assert command.stdout is not None
        size = len(command.stdout.read(1))
        first = time.perf_counter() - begun
        while data := command.stdout.read(1 << 20):
            size += len(data)
    clock = time.perf_counter() - begun
    assert command.returncode == 0, words
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Question(used + processor_seconds(subject.process) - server, first, clock, size)


def empty_python() -> float:
    """Milliseconds of the processor for `python -c pass`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def limits(path: str) -> dict[str, tuple[float, int]]:
    """What it takes at least to read all lines from the socket, and to decode them, in one process; their bytes."""
    client = Client(path)
    begun = time.process_time()
    size = sum(map(len, client.lines({})))
    read = time.process_time() - begun
    begun = time.process_time()
    for _ in client.events({}):
        pass
    return {"reading the lines": (read, size), "reading and decoding": (time.process_time() - begun, size)}


def of_the_page(path: str) -> dict[str, float]:
    """What the parts of the page's answers take of the web command's process."""
    source = ServerSource(Client(path))
    feed = Feed(source)
    newest, news = source.newest(), threading.Event()
    feed.listen(news.set)
    feed.start()
    while not (rows := feed.news(limit=1).rows) or rows[0].place < newest:
        news.wait()
        news.clear()

    def taken(look: Callable[[], object]) -> float:
        begun = time.process_time()
        look()
        return time.process_time() - begun

    def told() -> bytes:
        lines = source.of_session(None, os.geteuid(), "session-07", 5000)
        events = ((place, msgspec.json.decode(line, type=dict[str, Any])) for place, line in lines)
        return msgspec.json.encode(conversation("session-07", events))

    def look(text: str) -> list[int]:
        return next(steps(source, text, 0, newest, 20_000))

    found = {
        "the page's first 2,000 rows": taken(lambda: msgspec.json.encode(feed.news(limit=2000))),
        "20,000 older rows": taken(lambda: msgspec.json.encode(feed.before(newest - 2000, 20_000))),
        "an opened event": taken(lambda: list(source.between(newest // 2 - 1, newest // 2))),
        "a text in 20,000 events": taken(lambda: look("make test-4")),
        "a conversation of 5,000 events": taken(told),
    }
    feed.stop()
    return found


def main() -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    options, _ = parser.parse_known_args()
    console = Console()
    table = Table("question", "CPU", "more than whoami", "first byte", "clock", "output")
    empty: list[float] = []
    failed = False
    with tempfile.TemporaryDirectory() as name:
        fill(f"{name}/o.db", options.events)
        transcripts(Path(name, "home"))
        with observatory(Path(name), "o") as subject:
            nothing = 0.0
            for question, words in {**QUESTIONS, **WHOLE}.items():
                found = []
                for _ in range(ROUNDS):
                    empty.append(empty_python())
                    found.append(measured(subject, words))
                used, first, clock = (statistics.median(each) for each in list(zip(*found, strict=True))[:3])
                nothing = nothing or used
                if question == next(iter(WHOLE)):
                    table.add_section()
                late = question in QUESTIONS and used - nothing > MOST
                failed |= late
                times = (f"{seconds * 1000:.0f} ms" for seconds in (used, used - nothing, first, clock))
                size = found[0].size
                rate = f", {size / 1e6 / used:.0f} MB/s" if size > 1e6 else ""
                table.add_row(question, *times, f"{size} bytes{rate}", style="bold" if late else "")
            table.add_section()
            for question, (used, size) in limits(subject.path).items():
                table.add_row(
                    question, f"{used * 1000:.0f} ms", "", "", "", f"{size} bytes, {size / 1e6 / used:.0f} MB/s"
                )
            table.add_section()
            for question, used in of_the_page(subject.path).items():
                failed |= used > MOST
                table.add_row(question, f"{used * 1000:.0f} ms", style="bold" if used > MOST else "")
    table.title = (
        f"Of {options.events} events; load {os.getloadavg()[0]:.1f}; python -c pass {statistics.median(empty):.1f} ms"
    )
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
