"""What the commands that ask about events take of the processor, with 200,000 events of 40 sessions stored.

Each is run as a command beside a running server; what it takes to start Python and end is told apart (`whoami`). To
reach: 100 ms more than that, of both together, for each question as it is without options. Exits 1 if one takes more.
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
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from observatory.events import compose, take_apart, timestamp
from observatory.identity import PeerCredentials
from observatory.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS, SESSIONS, ROUNDS = 200_000, 40, 5
MOST = 0.1
QUESTIONS: dict[str, tuple[list[str], bool]] = {
    "whoami": (["whoami"], True),
    "files": (["files"], True),
    "files --diff": (["files", "--diff"], True),
    "commands": (["commands"], True),
    "failures": (["failures"], True),
    "durations": (["durations"], True),
    "sessions": (["sessions"], False),
    "events --limit 100": (["events", "--limit", "100"], True),
    "events --session, --tool": (["events", "--session", "session-07", "--tool", "Edit", "--limit", "100"], True),
    "sql --since 20m": (["sql", "--since", "20m", "SELECT tool, count(*) FROM events GROUP BY tool"], True),
    "sql": (["sql", "SELECT tool, count(*) FROM events GROUP BY tool"], False),
    "export --format csv": (["export", "--format", "csv"], False),
}
"""The commands, and whether they are to reach it: who asks about all events, or for the last of each session, reads
more."""


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


def server_time(process: subprocess.Popen[bytes]) -> float:
    """Seconds of the processor that a process has had."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(process: subprocess.Popen[bytes], path: str, words: list[str]) -> tuple[float, float, int]:
    """What a command takes of the processor, with what the server takes for it, and of the clock; its output's size."""
    before, server = resource.getrusage(resource.RUSAGE_CHILDREN), server_time(process)
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "observatory", *words, "--socket", path], capture_output=True, check=True
    )
    clock = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used + server_time(process) - server, clock, len(done.stdout)


def main() -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    options, _ = parser.parse_known_args()
    console = Console()
    table = Table("question", "CPU", "more than whoami", "clock", "output", title=f"Of {options.events} events")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        path, database = f"{name}/s", f"{name}/db"
        fill(database, options.events)
        serve = [sys.executable, "-m", "observatory", "serve", "--socket", path, "--database", database]
        with subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            process.stderr.readline()
            nothing = 0.0
            for question, (words, reaches) in QUESTIONS.items():
                found = [measured(process, path, words) for _ in range(ROUNDS)]
                cpu, clock = (statistics.median(each) for each in list(zip(*found, strict=True))[:2])
                nothing = nothing or cpu
                failed |= reaches and cpu - nothing > MOST
                times = (f"{seconds * 1000:.0f} ms" for seconds in (cpu, cpu - nothing, clock))
                table.add_row(question, *times, f"{found[0][2]} bytes")
            process.terminate()
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
