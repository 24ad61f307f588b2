"""What a hook's command costs beside `curl` alone, with one's own server and with root's: the median, in turns.

Each is run by the shell as the client does it. To reach: 1.15 times what bare `curl` takes; 1.3 with another user's
server in a shared directory, where `find` is asked whose it is. Exits 1 if it takes longer. The programs that are
started are counted by strace, where it is installed. As root on Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ingest import observatory
from rich.console import Console
from rich.table import Table

from observatory.hooks.command import Recipient, hook_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory.hooks.command import Place

ROUNDS = 200
ALICE = 61234
CASES: tuple[tuple[str, Place, str, int, float], ...] = (
    ("one's own", "own", "/tmp", 0, 1.15),
    ("root's, where root alone makes names", "sure", "/run", ALICE, 1.15),
    ("root's, in a shared directory", "shared", "/tmp", ALICE, 1.3),
)
"""The server, what was seen of its place, where that is, who runs the hook, and what it may take."""
EVENT = b'{"session_id":"0a1b2c3d-1111-2222-3333-444455556666","hook_event_name":"Stop","cwd":"/home/alice/proj"}'


@contextlib.contextmanager
def served(place: Place, parent: str) -> Iterator[str]:
    """A server's socket in a directory of such a kind."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        Path(name).chmod(0o1777 if place == "shared" else 0o755)
        with observatory(Path(name), "o", "--mode", "0666") as subject:
            yield subject.path


def milliseconds(shell: str, command: str, user: int) -> float:
    """How long one hook takes."""
    begun = time.perf_counter()
    subprocess.run([shell, "-c", command], input=EVENT, check=True, user=user, group=user, extra_groups=())
    return (time.perf_counter() - begun) * 1000


def processes(shell: str, command: str, user: int) -> int | None:
    """How many programs are started beside the shell; `None` where `strace` can't say."""
    if (strace := shutil.which("strace")) is None:
        return None
    words = [strace, "-f", "-qq", "-e", "trace=execve", "-e", "status=successful", shell, "-c", command]
    done = subprocess.run(words, input=EVENT, capture_output=True, check=True, user=user, group=user, extra_groups=())
    return done.stderr.count(b"execve(") - 1


def main() -> int:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--shell", default="sh")
    options, _ = parser.parse_known_args()
    console = Console()
    if os.geteuid() != 0:
        console.print("hooks: only root can be another user's server; nothing was measured")
        return 0
    table = Table("server", "command", "median", "times curl", "programs", title=f"A hook, of {options.rounds}")
    failed = False
    for whose, place, parent, user, most in CASES:
        with served(place, parent) as path:
            bare = (
                f"curl -s --unix-socket {path} -X POST --data-binary @- 'http://localhost/hook?event=Stop' >/dev/null"
            )
            hook = hook_command("Stop", Recipient(path, place=place))
            took: dict[str, list[float]] = {bare: [], hook: []}
            for _ in range(options.rounds):  # in turns, so that what else the machine does meets both
                for command, times in took.items():
                    times.append(milliseconds(options.shell, command, user))
            curl, ours = (statistics.median(times) for times in took.values())
            failed |= ours > most * curl
            for what, command, median in (("curl", bare, curl), ("hook", hook, ours)):
                started = processes(options.shell, command, user)
                table.add_row(whose, what, f"{median:.2f} ms", f"{median / curl:.2f}", str(started))
    console.print(table)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
