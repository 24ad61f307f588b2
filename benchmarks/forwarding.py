"""Forwarders to one NATS server: how many events a second, and how far behind, with 1, 4 and 16 of them.

Each has a server of its own, as on so many machines; here they share one, so the processor time of an event, of a
forwarder and of NATS, says more than the rate: what a machine of NATS's own takes is its share alone. First all send
what has gathered (`forward --once`); then each server gets hooks at a steady rate, and the lag is what passes from an
event's commit until a subscriber of NATS has it. One NATS server in one copy, with files, on the loopback address.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import nats
from crowds import hook, lag, middle_and_most, say
from ingest import note, observatory, processor_seconds, shown
from nats.js.api import StorageType, StreamConfig
from scale import fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest import Subject
    from nats.aio.msg import Msg

FORWARDERS = (1, 4, 16)
EVENTS = 100_000
"""That have gathered, of all together."""
RATE, SECONDS = 400, 10
"""Events a second of all together, and for how long."""
STREAM = "OBSERVATORY"
PUBLISHER = Path(__file__).parent / "peers" / "nats_publisher.py"
LISTENS = re.compile(rb"Listening for client connections on (\S+)\n")
"""What NATS's log says once it does, on a port that it has chosen itself."""
COMMAND = [sys.executable, "-m", "observatory", "forward"]


@contextlib.contextmanager
def nats_server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A NATS server with the stream: its URL and its process."""
    command = ["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", str(folder / "nats")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            log = b""
            while (listens := LISTENS.search(log)) is None:
                if not (line := process.stderr.readline()):
                    raise SystemExit(f"nats-server does not start: {log.decode()}")
                log += line
            threading.Thread(target=process.stderr.read, daemon=True).start()  # so that its log never fills the pipe
            url = f"nats://{listens[1].decode()}"
            make = [*COMMAND, "--to", url, "--make-stream", "1"]
            subprocess.run(make, check=True, stderr=subprocess.DEVNULL)
            yield url, process
        finally:
            process.kill()


def forwarder(folder: Path, subject: Subject, url: str, *options: str) -> subprocess.Popen[bytes]:
    """One that has begun."""
    host = Path(subject.path).stem
    command = [*COMMAND, "--socket", subject.path, "--host", host, "--cursor", str(folder / f"{host}.cursor")]
    return subprocess.Popen([*command, "--to", url, *options], stderr=subprocess.DEVNULL)


def once(folder: Path, subjects: list[Subject], url: str) -> float:
    """Send all that there is, all at once; the processor time of the forwarders."""
    cpu = 0.0
    for process in [forwarder(folder, subject, url, "--once") for subject in subjects]:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit("a forwarder has failed")
        cpu += usage.ru_utime + usage.ru_stime
    return cpu


async def seconds(url: str, stream: str = STREAM) -> float:
    """From the first message in a stream to the last, by NATS's clock."""
    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    state = (await jetstream.stream_info(stream)).state
    times = []
    for number in (state.first_seq, state.last_seq):
        asked = json.dumps({"seq": number}).encode()
        answer = await connection.request(f"$JS.API.STREAM.MSG.GET.{stream}", asked)
        times.append(datetime.fromisoformat(json.loads(answer.data)["message"]["time"]))
    await connection.close()
    return (times[1] - times[0]).total_seconds()


async def beside(url: str) -> int:
    """Make a stream for publishers that do nothing else; the bytes that a message of an event has."""
    connection = await nats.connect(url)
    jetstream = connection.jetstream()
    await jetstream.add_stream(StreamConfig(name="BARE", subjects=["bare.>"], storage=StorageType.FILE))
    state = (await jetstream.stream_info(STREAM)).state
    await connection.close()
    return state.bytes // state.messages


def bare(url: str, publishers: int, count: int) -> str:
    """Publishers that do nothing else, of so many messages together: how many a second."""
    size = asyncio.run(beside(url))
    command = [sys.executable, str(PUBLISHER), url]
    running = [
        subprocess.Popen([*command, f"bare.{number}", str(count // publishers), str(size)])
        for number in range(publishers)
    ]
    if {process.wait() for process in running} != {0}:
        raise SystemExit("a bare publisher has failed")
    return f"{count / asyncio.run(seconds(url, 'BARE')):,.0f}"


def gathered(
    folder: Path, subjects: list[Subject], url: str, broker: subprocess.Popen[bytes], count: int
) -> tuple[str, ...]:
    """All that has gathered is sent: events a second, and the processor time of one, of a forwarder and of NATS."""
    before = processor_seconds(broker)
    cpu, broker_cpu = once(folder, subjects, url), processor_seconds(broker) - before
    cpu -= once(folder, subjects, url)  # now there is nothing to send: what it takes to start
    rate = count / asyncio.run(seconds(url))
    return f"{rate:,.0f}", f"{cpu / count * 1e6:.0f}", f"{broker_cpu / count * 1e6:.0f}"


async def steadily(subjects: list[Subject], url: str, rate: int, span: float) -> list[float]:
    """Hooks come to all servers in turn, so many a second; milliseconds until a subscriber has each, in their order."""
    lags: list[float] = []
    expected = int(rate * span)
    all_here = asyncio.Event()

    async def note_lag(message: Msg) -> None:
        if (behind := lag(message.data)) is not None:
            lags.append(behind)
            if len(lags) == expected:
                all_here.set()

    def send() -> None:
        begun = time.monotonic()
        for number in range(expected):
            say(subjects[number % len(subjects)].path, hook("PostToolUse", "steady", number))
            time.sleep(max(0.0, begun + (number + 1) / rate - time.monotonic()))

    connection = await nats.connect(url)
    await connection.subscribe("observatory.>", cb=note_lag)
    await connection.flush()
    await asyncio.to_thread(send)
    await asyncio.wait_for(all_here.wait(), 60)
    await connection.close()
    return sorted(lags)


def steady_lag(
    folder: Path, subjects: list[Subject], url: str, sent: int, options: argparse.Namespace
) -> tuple[str, ...]:
    """The lag of forwarders that go on for ever, of which the stream has so many events already."""
    running = [forwarder(folder, subject, url) for subject in subjects]
    try:
        for subject in subjects:  # each has one event more, and when that has arrived its forwarder is at work
            say(subject.path, hook("Stop", "first", 0))
        asyncio.run(until_messages(url, sent + 2 * len(subjects)))
        lags = asyncio.run(steadily(subjects, url, options.rate, options.seconds))
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.wait()
    return tuple(f"{each:.0f}" for each in (*middle_and_most(lags), lags[-1]))


async def until_messages(url: str, count: int) -> None:
    """Until the stream has so many, forwarders' notes among them."""
    connection = await nats.connect(url)
    while (await connection.jetstream().stream_info(STREAM)).state.messages < count:
        await asyncio.sleep(0.05)  # nothing tells how many there are
    await connection.close()


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=EVENTS, help="events that have gathered (default: 100000)")
    parser.add_argument("--rate", type=int, default=RATE, help="then, events a second (default: 400)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="and for how long (default: 10)")
    options, _ = parser.parse_known_args()
    if shutil.which("nats-server") is None:
        print("no nats-server here: install Debian's nats-server", file=sys.stderr)
        return 1
    rows = []
    for count in FORWARDERS:
        note(f"{count} forwarders")
        with tempfile.TemporaryDirectory(prefix="forward") as temporary, ExitStack() as stack:
            folder = Path(temporary)
            subjects = []
            for number in range(count):
                name = f"host{number}"
                fill(f"{folder}/{name}.db", options.each // count, time.time_ns() // 1000, 1)
                subjects.append(stack.enter_context(observatory(folder, name)))
            url, broker = stack.enter_context(nats_server(folder))
            events = options.each // count * count
            sent = gathered(folder, subjects, url, broker, events)
            alone = bare(url, count, events)
            rows.append((str(count), sent[0], alone, *sent[1:], *steady_lag(folder, subjects, url, events, options)))
    note("")
    headings = ("forwarders", "events/s", "bare/s", "forwarder us", "NATS us", "lag p50 ms", "p99 ms", "most ms")
    shown(headings, rows, f"{options.each:,} events that had gathered; then {options.rate} a second, and their lag")
    return 0


if __name__ == "__main__":
    sys.exit(main())
