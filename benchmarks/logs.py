"""Events in, beside the logs of a Linux machine that ask the kernel who writes: journald and rsyslog's imuxsock.

Both take datagrams and acknowledge nothing: a send returns when the kernel has queued it, before anybody has read it,
and what is not stored is not told. So two rates are shown: what the clients sent, and what was stored, from the first
send until all was on disk (journald's own sync, rsyslog's last line). Lost is what was sent and is not there.
Observatory's clients wait until their event is committed.

The servers are this benchmark's own, in a mount namespace of its own, so it needs root.
"""

from __future__ import annotations

import argparse
import contextlib
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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))
from ingest import event, note, observatory, request, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
JOURNALD = "/lib/systemd/systemd-journald"
LONGEST = 60.0
"""Seconds within which a log has stored what it was sent, or the benchmark ends."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log that takes datagrams: where, what it is sent in a round, how it is waited for, and how much is stored."""

    name: str
    path: str
    datagram: Callable[[str], bytes]
    settle: Callable[[str], None]
    stored: Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Round:
    """What one load did: events a second that were sent, and that were stored until all of them were."""

    sent: float
    stored: float
    lost: int
    p50_us: float
    p99_us: float


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the end of the block."""
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def until(what: str, is_so: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + LONGEST
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not happen within {LONGEST:.0f} seconds")
        time.sleep(0.005)


@contextlib.contextmanager
def journald(directory: Path) -> Iterator[Log]:
    """systemd's journal, without its limit of messages, on disk."""
    settings = directory / "systemd"
    settings.mkdir()
    lines = ("[Journal]", "Storage=persistent", "RateLimitIntervalSec=0", "SystemMaxUse=4G", "ReadKMsg=no", "Audit=no")
    (settings / "journald.conf").write_text("\n".join(lines) + "\n")
    stored = directory / "log" / "journal"
    stored.mkdir(parents=True)
    for source, target in ((settings, "/etc/systemd"), (directory / "log", "/var/log")):
        subprocess.run(["mount", "--bind", str(source), target], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
    Path("/run/systemd/journal").mkdir(parents=True)
    with ended(subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL)) as process:
        path = "/run/systemd/journal/socket"
        # The socket comes first: a signal that is not blocked yet, to be read from a descriptor, would end it.
        until("journald's start", lambda: Path(path).exists() and blocks(process, signal.SIGUSR1))
        process.send_signal(signal.SIGUSR1)  # from memory to disk
        until("journald's first file", lambda: any(stored.rglob("system.journal")))

        def settle(_: str) -> None:
            synced = Path("/run/systemd/journal/synced")
            synced.unlink(missing_ok=True)
            process.send_signal(signal.Signals["SIGRTMIN"] + 1)
            until("journald's sync", synced.exists)

        def count(tag: str) -> int:
            command = ["journalctl", "-D", str(stored), "--quiet", "-o", "cat", "--output-fields=ROUND", f"ROUND={tag}"]
            return subprocess.run(command, capture_output=True, check=True).stdout.count(b"\n")

        yield Log("journald", path, lambda tag: f"ROUND={tag}\nMESSAGE=".encode() + event(1024) + b"\n", settle, count)


def blocks(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether a process has blocked a signal (proc(5), status)."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigBlk:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


@contextlib.contextmanager
def rsyslog(directory: Path) -> Iterator[Log]:
    """rsyslog with the credentials that the kernel gives, one line an event in a file."""
    path, file = directory / "rsyslog.sock", directory / "rsyslog.log"
    settings = directory / "rsyslog.conf"
    settings.write_text(
        f"""global(workDirectory="{directory}" maxMessageSize="128k")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{path}" Annotate="on" ParseTrusted="on" RateLimit.Interval="0" UseSysTimeStamp="on")
template(name="line" type="list") {{ property(name="$!all-json") property(name="msg") constant(value="\\n") }}
action(type="omfile" file="{file}" template="line")
"""
    )
    with ended(subprocess.Popen(["rsyslogd", "-n", "-f", str(settings), "-i", f"{directory}/pid"])):
        until("rsyslog's start", path.exists)

        def settle(tag: str) -> None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.connect(str(path))
                last.send(f"<13>bench: the last of {tag}".encode())

            def is_written() -> bool:
                return file.exists() and f"the last of {tag}".encode() in last_bytes(file)

            until("rsyslog's last line", is_written)

        def count(tag: str) -> int:
            found = subprocess.run(["grep", "-c", f"round {tag} ", str(file)], capture_output=True, check=False)
            return int(found.stdout)

        yield Log("rsyslog", str(path), lambda tag: f"<13>bench: round {tag} ".encode() + event(1024), settle, count)


def last_bytes(file: Path) -> bytes:
    """The end of a file."""
    with file.open("rb") as opened:
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - 8192))
        return opened.read()


def of_log(load: str, log: Log, clients: int, seconds: float, tag: str) -> Round:
    """One round of a log."""
    begun = time.monotonic()
    done = subprocess.run(
        [load, log.path, str(clients), str(seconds), "0"], input=log.datagram(tag), capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    log.settle(tag)
    took = time.monotonic() - begun
    stored = log.stored(tag)
    sent = found["requests"] / found["seconds"]
    return Round(sent, stored / took, found["sent"] - stored, found["p50_us"], found["p99_us"])


def of_observatory(load: str, path: str, database: Path, clients: int, seconds: float) -> Round:
    """One round of observatory, of which every event that was acknowledged is stored."""
    before = last_id(database)
    done = subprocess.run(
        [load, path, str(clients), str(seconds), "0"], input=request(1024), capture_output=True, check=True
    )
    found = json.loads(done.stdout)
    rate = found["requests"] / found["seconds"]
    lost = max(0, found["requests"] - (last_id(database) - before))
    return Round(rate, rate, lost, found["p50_us"], found["p99_us"])


def last_id(database: Path) -> int:
    """The number of the latest event."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])


def compiled(directory: Path, source: str) -> str:
    """A load."""
    made = directory / Path(source).stem
    subprocess.run(["cc", "-O2", "-pthread", "-o", made, HERE / "load" / source], check=True)
    return str(made)


def missing() -> str | None:
    """What this benchmark lacks here."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "the logs are measured in a mount namespace of their own: as root on Linux"
    needs = {"cc": "gcc", "journalctl": "systemd", "rsyslogd": "rsyslog", "unshare": "util-linux"}
    lacking = [package for program, package in needs.items() if shutil.which(program) is None]
    return f"not installed: {', '.join(lacking)}" if lacking else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="at once (default: 1 8)")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts (default: 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each round (default: 2)")
    options, _ = parser.parse_known_args(arguments)
    lacking = missing()
    if lacking is not None:
        print(f"logs.py: left out: {lacking}", file=sys.stderr)
        return 0
    if "BENCH_NAMESPACE" not in os.environ:
        again = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        return subprocess.run(again, env={**os.environ, "BENCH_NAMESPACE": "1"}, check=False).returncode
    rounds: dict[tuple[int, str], list[Round]] = {}
    with tempfile.TemporaryDirectory(prefix="bench") as temporary, contextlib.ExitStack() as servers:
        directory = Path(temporary)
        streams, datagrams = compiled(directory, "load.c"), compiled(directory, "datagrams.c")
        logs = [servers.enter_context(made(directory)) for made in (rsyslog, journald)]
        ours = servers.enter_context(observatory(directory, "o"))
        for clients in options.clients:
            for number in range(options.rounds):
                note(f"{clients} clients, round {number + 1}")
                taken = [(ours.name, of_observatory(streams, ours.path, directory / "o.db", clients, options.seconds))]
                for log in logs:
                    tag = f"{clients}-{number}"
                    taken.append((log.name, of_log(datagrams, log, clients, options.seconds, tag)))
                for name, found in taken:
                    rounds.setdefault((clients, name), []).append(found)
    note("")
    for clients in options.clients:
        rows = [row(name, found, name == ours.name) for (count, name), found in rounds.items() if count == clients]
        title = f"{clients} client{'s' if clients > 1 else ''}, 1,024 bytes, medians of {options.rounds} rounds"
        shown(("server", "sent/s", "stored/s", "lost", "p50 us", "p99 us", "acknowledged"), rows, title)
    return 0


def row(name: str, rounds: Sequence[Round], is_acknowledged: bool) -> tuple[str, ...]:
    """The medians of a server's rounds, and all that it lost in them."""

    def median(what: str) -> float:
        return float(statistics.median(getattr(each, what) for each in rounds))

    lost = sum(each.lost for each in rounds)
    times = (f"{median('p50_us'):,.1f}", f"{median('p99_us'):,.1f}")
    when = "when committed" if is_acknowledged else "never"
    return (name, f"{median('sent'):,.0f}", f"{median('stored'):,.0f}", f"{lost:,}", *times, when)


if __name__ == "__main__":
    sys.exit(main())
