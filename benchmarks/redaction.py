"""What redaction costs an ordinary event, and how often it takes out what is no secret.

The inputs are what agents handle: pieces of this repository and of the sources, manuals and settings that this machine
has, as a Write, an Edit, a Bash command and its output. None of them has a secret that is one, so each mark is a false
alarm: they are counted and listed. Exits 1 if there are a thousandth or more.
"""

from __future__ import annotations

import argparse
import bz2
import collections
import gzip
import itertools
import json
import os
import random
import re
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from observatory.events import take_apart
from observatory.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PLACES = (ROOT, Path("/usr/share/man"), Path("/usr/share/doc"), Path("/usr/include"), Path("/usr/lib"), Path("/etc"))
MOST = 1 / 1000
LONGEST = 2_000_000
SIZES = (200, 1_000, 4_000, 16_000)
ROUNDS = 5
ENDINGS = re.compile(
    r"\.(py|pyi|c|h|hpp|js|ts|json|toml|yaml|yml|md|rst|txt|sh|conf|cfg|ini|pl|pm|css|html|xml|service|[1-8](\.gz)?|gz)$"
)
_MARK = re.compile(r"\[redacted: [^]]*\]")


def texts() -> Iterator[str]:
    """Texts of this machine, each once, in an order that is the same each time."""
    paths: set[str] = set()
    for place in PLACES:
        for directory, directories, names in os.walk(place):
            directories[:] = [name for name in directories if name not in {".git", ".nox", ".cache", "__pycache__"}]
            paths.update(f"{directory}/{name}" for name in names if ENDINGS.search(name))
    ordered = sorted(paths)
    random.Random(1).shuffle(ordered)  # noqa: S311 - no secret
    for path in ordered:
        try:
            data = Path(path).read_bytes()[:LONGEST]
            if path.endswith(".gz"):
                data = gzip.decompress(data)
            elif path.endswith(".bz2"):
                data = bz2.decompress(data)
        except (OSError, EOFError):
            continue
        if b"\0" not in data and b"PRIVATE KEY-----\nM" not in data:
            yield data.decode(errors="replace")


def pieces() -> Iterator[str]:
    """Pieces of these texts of different sizes."""
    sizes = itertools.cycle(SIZES)
    for text in texts():
        at = 0
        for _ in range(64):  # so that no text is most of them
            size = next(sizes)
            piece = text[at : at + size]
            if len(piece) < 50:
                break
            yield piece
            at += size


def inputs(count: int) -> list[bytes]:
    """Bodies of hooks with these pieces."""
    bodies = []
    for number, piece in enumerate(itertools.islice(pieces(), count)):
        tool, said = (
            ("Write", {"tool_input": {"file_path": "/home/alice/proj/file", "content": piece}}),
            ("Edit", {"tool_input": {"file_path": "/home/alice/proj/file", "old_string": "a", "new_string": piece}}),
            ("Bash", {"tool_input": {"command": f"cat <<'END'\n{piece}\nEND"}}),
            ("Bash", {"tool_input": {"command": "cat file"}, "tool_response": {"stdout": piece, "stderr": ""}}),
        )[number % 4]
        bodies.append(
            json.dumps(
                {
                    "session_id": "0a1b2c3d-1111-2222-3333-444455556666",
                    "transcript_path": "/home/alice/.claude/projects/-home-alice-proj/0a1b2c3d.jsonl",
                    "cwd": "/home/alice/proj",
                    "hook_event_name": "PreToolUse",
                    "tool_name": tool,
                    **said,
                },
                ensure_ascii=False,
            ).encode()
        )
    return bodies


def cost(bodies: list[bytes], redactor: Redactor | None) -> float:
    """Microseconds of the processor for one body, the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for body in bodies:
            take_apart(body, None, redactor)
        rounds.append(time.process_time() - begun)
    return statistics.median(rounds) / len(bodies) * 1e6


def main() -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    options, _ = parser.parse_known_args()
    console, redactor = Console(), Redactor()
    bodies = inputs(options.inputs)
    alarms: collections.Counter[str] = collections.Counter()
    events = 0
    for body in bodies:
        found = _MARK.findall(bytes(take_apart(body, None, redactor).inside).decode())
        already = _MARK.findall(body.decode())
        if len(found) > len(already):
            events += 1
            plain, marked = body.decode(), bytes(take_apart(body, None, redactor).inside).decode()
            place = _MARK.search(marked)
            assert place is not None
            at = place.start() + 1
            alarms[f"{place[0]} instead of {plain[max(0, at - 40) : at + 60]!r}"] += 1
    table = Table("body", "without", "with", "more", title="CPU for one event, in microseconds")
    for size in (500, 1_500, 5_000, 20_000):
        sample = [body for body in bodies if 0.6 * size <= len(body) <= 1.1 * size][:2000]
        if sample:
            without, with_it = cost(sample, None), cost(sample, redactor)
            table.add_row(f"{size} bytes", f"{without:.1f}", f"{with_it:.1f}", f"{with_it - without:.1f}")
    console.print(table)
    console.print(f"{events} of {len(bodies)} ordinary inputs had something taken out ({events / len(bodies):.4%})")
    for alarm, count in alarms.most_common():
        console.print(f"{count:4} {alarm}", markup=False, soft_wrap=True)
    return int(events >= MOST * len(bodies))


if __name__ == "__main__":
    sys.exit(main())
