"""Eight hosts on a bad day: between each of them and NATS somebody cuts, strips, delays and lies, at every step."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import nats
import pytest

from tests.fleet.bus import make_certificate, started
from tests.fleet.command import environment, run
from tests.fleet.proxy import (
    LIES,
    CutAfter,
    CutAtQuestion,
    Delay,
    Fault,
    Forbid,
    Hang,
    Lie,
    Proxy,
    SayNothingIsThere,
    Strip,
    SwallowAcknowledgements,
    Twice,
)
from tests.helpers.deadline import until
from tests.helpers.directories import short_directory
from tests.helpers.observatory_command import command
from tests.helpers.observatory_server import ObservatoryServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVENTS = int(os.environ.get("FLEET_EVENTS", "8000"))
PORTIONS = 60 if EVENTS >= 100_000 else 20
SEED = int(os.environ.get("FLEET_SEED", "18"))
WINDOW = 512
"""Events that may have arrived without the forwarder's knowing it."""
WITHIN = 10.0
"""Seconds within which the lag that was said last was right."""
SLACK = float(os.environ.get("FLEET_SLACK", "5"))
"""Seconds more for this machine, on which eighteen processes share the processors with other work."""
HOSTS = ("web.paris", "web.london", "renewed", "lost-cursor", "killed", "away", "private1", "private2")
CLOCK = "import time\nreal = time.time_ns\ntime.time_ns = lambda: real() - 86_400_000_000_000\n"
"""A clock that was set back by a day."""


class Storm(Proxy):
    """A proxy whose every connection comes to another end."""

    def __init__(self, port: int, name: str, tls: bool) -> None:
        self.calm = True
        self._random = random.Random(f"{SEED} {name}")
        self._private = tls
        super().__init__(port, tls)

    def next_fault(self) -> Fault:
        if self.calm:
            return Fault()
        draw = self._random
        size = int(10 ** draw.uniform(1, 6))
        faults: list[Callable[[], Fault]] = [
            lambda: CutAfter(size, 1 << 40),
            lambda: CutAfter(1 << 40, size // 8),
            lambda: Hang(size // 8),
            lambda: Delay(draw.uniform(0.01, 0.2)),
            Strip,
        ]
        if not self._private:
            count = size // 700
            faults[-1:] = [
                lambda: CutAtQuestion(draw.randint(1, 4)),
                lambda: SwallowAcknowledgements(draw.randint(1, 300)),
                lambda: Lie(count, draw.choice(LIES)),
                lambda: Forbid(count),
                Twice,
                SayNothingIsThere,
            ]
        return draw.choice(faults)()


@dataclass(frozen=True)
class Sample:
    """What a host's server had at least and at most, and what of it had arrived, at a moment."""

    when: float
    sent: int
    most: int
    arrived: int


class Machine:
    """A host: its server, its forwarder, and whoever sits between that and NATS."""

    def __init__(self, name: str, folder: Path, nats_port: int, ca: str) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.private = name.startswith("private")
        self.storm = Storm(nats_port, name, self.private)
        self.said: list[tuple[float, str]] = []
        self.samples: list[Sample] = []
        self.disturbed: list[tuple[float, float]] = []
        """When the forwarder or the server did not run, or had just begun to."""
        self.total = 0
        """Events sent in all."""
        self.sent = 0
        """Events that are committed in the database that it has now."""
        self.most = 0
        """These, and those that are on their way to it."""
        self._ca = ca
        self._start_server()
        self.start()

    def _start_server(self, **variables: str) -> None:
        self.server = ObservatoryServer(self.folder, stdout=subprocess.DEVNULL, variables=variables)
        self.server.start()
        self.database = str(json.loads(self.server.get("/database")[1])["id"])

    def start(self) -> None:
        if not self.disturbed or self.disturbed[-1][1]:
            self.disturb()  # until it says its first word
        scheme = "tls" if self.private else "nats"
        to = ["--to", f"{scheme}://localhost:{self.storm.port}", *(["--ca", self._ca] if self.private else [])]
        arguments = command("forward", "--socket", self.server.path, *to, "--cursor", str(self.folder / "cursor"))
        # No --host: it's the machine's own name, whole.
        named = ["unshare", "--uts", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh", *arguments]
        self.forwarder = subprocess.Popen(
            named, stderr=subprocess.PIPE, text=True, env=environment(self.folder), errors="replace"
        )
        self._reader = threading.Thread(target=self._read, args=(self.forwarder,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if self.disturbed and not self.disturbed[-1][1]:
                self.disturbed_until_now()
            self.said.append((time.monotonic(), line.rstrip("\n")))
        process.stderr.close()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.disturb()
        self.forwarder.send_signal(number)
        self.forwarder.wait()
        self._reader.join()

    def disturb(self) -> None:
        self.disturbed.append((time.monotonic(), 0.0))

    def disturbed_until_now(self) -> None:
        begun, _ = self.disturbed.pop()
        self.disturbed.append((begun, time.monotonic()))

    def say(self, count: int) -> None:
        filling = "x" * 400
        self.most += count
        self.server.hooks().say_all(
            ("PreToolUse" if n % 2 else "PostToolUse", {"session_id": f"s{n % 7}", "n": n, "filling": filling})
            for n in range(self.total, self.total + count)
        )
        self.total += count
        self.sent += count

    def renew(self) -> None:
        """Give the server a new database, and a clock that was set back."""
        self.storm.calm = True
        self.storm.cut()
        until(lambda: self.samples[-1].arrived == self.sent, "the old database's events have arrived", 300, 0.2)
        self.disturb()
        self.server.end()
        self.server.delete_database()
        (self.folder / "sitecustomize.py").write_text(CLOCK)
        self.sent = self.most = 0
        self._start_server(PYTHONPATH=str(self.folder))
        self.disturbed_until_now()
        self.storm.calm = False

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.forwarder.kill()
        self.forwarder.wait()
        self.storm.close()
        self.server.end()

    def has_ended(self) -> bool:
        """Whether the forwarder has, though nobody told it to."""
        return self.forwarder.poll() is not None

    def says_that_all_has_arrived(self) -> bool:
        words = [line for _, line in self.said if "; lag " in line]
        return bool(words) and "; lag 0" in words[-1]

    def log(self) -> str:
        return "\n".join(line for _, line in self.said)


class Watch:
    """Samples of what has arrived of every host, taken beside the work."""

    def __init__(self, port: int, machines: list[Machine]) -> None:
        self._port = port
        self._machines = machines
        self._ended = threading.Event()
        self.arrived: dict[str, int] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    async def _run(self) -> None:
        nc = await nats.connect(f"nats://127.0.0.1:{self._port}")
        while not self._ended.is_set():
            before = [(each, each.database, each.sent, each.most, time.monotonic()) for each in self._machines]
            answer = await nc.request("$JS.API.STREAM.INFO.OBSERVATORY", b'{"subjects_filter":">"}', timeout=60)
            subjects: dict[str, int] = json.loads(answer.data)["state"].get("subjects") or {}
            self.arrived = subjects
            for machine, database, sent, most, when in before:
                found = sum(count for subject, count in subjects.items() if subject.endswith(f".{database}"))
                machine.samples.append(Sample(when, sent, most, found))
            await asyncio.sleep(0.3)
        await nc.close()

    def events(self) -> int:
        return sum(count for subject, count in self.arrived.items() if not subject.endswith(".forwarder"))


@pytest.fixture
def nats_port(folder: Path, nats_server: str, need: Callable[[str, str], str]) -> Iterator[int]:
    """One NATS that takes clients with TLS and without."""
    if os.geteuid() != 0:
        pytest.skip("only root can give processes hostnames of their own")
    make_certificate(folder, need("openssl", "openssl"))
    config = folder / "nats.conf"
    config.write_text(
        f"listen: 127.0.0.1:-1\njetstream {{ store_dir: {folder / 'js'} }}\n"
        f"tls {{ cert_file: {folder / 'cert.pem'}, key_file: {folder / 'key.pem'} }}\nallow_non_tls: true\n"
    )
    process, port = started([nats_server, "-c", str(config)])
    try:
        done = run("forward", "--to", f"nats://127.0.0.1:{port}", "--make-stream", "1", state=folder)
        assert done.returncode == 0, done.stderr
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(2400)
def test_every_event_of_eight_hosts_is_there_once_and_in_order_and_the_lag_is_right(
    folder: Path, nats_port: int
) -> None:
    with short_directory() as homes, contextlib.ExitStack() as stack:
        machines = []
        for name in HOSTS:
            machines.append(Machine(name, homes, nats_port, str(folder / "cert.pem")))
            stack.callback(machines[-1].close)
        watch = Watch(nats_port, machines)
        stack.callback(watch.end)
        begun = time.monotonic()
        speakers = [threading.Thread(target=speak, args=(machine,)) for machine in machines]
        for speaker in speakers:
            speaker.start()
        for speaker in speakers:
            speaker.join()
        print(f"\nsent {sum(machine.total for machine in machines)} events in {time.monotonic() - begun:.0f} s")
        for machine in machines:
            machine.storm.calm = True
            machine.storm.refusing = False
            machine.storm.cut()
        calm = time.monotonic()
        until(
            lambda: watch.events() >= EVENTS or any(machine.has_ended() for machine in machines),
            lambda: "\n".join(machine.log()[-500:] for machine in machines),
            1200,
            0.5,
        )
        for machine in machines:
            assert not machine.has_ended(), f"{machine.name}'s forwarder has ended:\n{machine.log()}"
        print(f"all had arrived {time.monotonic() - calm:.0f} s after the last fault")
        for machine in machines:
            until(machine.says_that_all_has_arrived, machine.log, 60, 0.2)
        watch.end()
        for machine in machines:
            machine.end()
            print(f"{machine.name}: {machine.storm.connections} connections, {len(machine.said)} lines")
        check_events(machines, nats_port, folder)
        for machine in machines:
            check_lag(machine)
            others = [line for _, line in machine.said if not line.startswith("observatory forward: ")]
            assert not others, "\n".join(others)
            if machine.private:
                assert not [said for said in machine.storm.said if said and not said.startswith(b"\x16\x03")], "no TLS"
        (renewed,) = (machine for machine in machines if machine.name == "renewed")
        assert "has another database than before: forwarding all of it" in renewed.log()


def speak(machine: Machine) -> None:
    """Say a host's part over a time in which all that can break does."""
    machine.storm.calm = False
    machine.storm.cut()
    draw = random.Random(f"{SEED} speak {machine.name}")
    count = EVENTS // len(HOSTS)
    for portion in range(PORTIONS):
        machine.say(count * (portion + 1) // PORTIONS - count * portion // PORTIONS)
        if portion == PORTIONS // 3:
            special(machine)
        if draw.random() < 0.3:
            machine.storm.cut()
        time.sleep(draw.uniform(0.2, 1.2))  # events come when they come


def special(machine: Machine) -> None:
    """What happens to this host alone."""
    if machine.name == "renewed":
        machine.renew()
    elif machine.name in {"killed", "lost-cursor"}:
        machine.end(signal.SIGKILL)
        if machine.name == "lost-cursor":
            (machine.folder / "cursor").unlink(missing_ok=True)
        machine.start()
    elif machine.name == "away":
        machine.storm.refusing = True
        machine.storm.cut()
        threading.Timer(20, lambda: setattr(machine.storm, "refusing", False)).start()


def check_events(machines: list[Machine], port: int, folder: Path) -> None:
    done = subprocess.run(
        command("events", "--from", f"nats://127.0.0.1:{port}", "--json"),
        stdout=subprocess.PIPE,
        env=environment(folder),
        check=True,
    )
    seen: dict[str, list[int]] = {machine.name: [] for machine in machines}
    for line in done.stdout.splitlines():
        event: dict[str, Any] = json.loads(line)
        seen[event["_host"]].append(event["n"])
    for machine in machines:
        numbers = seen[machine.name]
        doubled = len(numbers) - len(set(numbers))
        missing = machine.total - len(set(numbers))
        ordered = numbers == sorted(numbers)
        print(f"{machine.name}: {len(numbers)} events, {missing} missing, {doubled} doubled, in order: {ordered}")
        assert (missing, doubled, ordered) == (0, 0, True), f"{machine.name}:\n{machine.log()}"


def check_lag(machine: Machine) -> None:
    """At each moment, the word on the lag that was said last was right at some moment of the last ten seconds."""
    words = [
        (when, int(found[1])) for when, line in machine.said if (found := re.search(r"; lag (\d+)", line)) is not None
    ]
    samples = machine.samples
    window = WITHIN + SLACK
    looked = 0
    for index, sample in enumerate(samples):
        if any(start <= sample.when <= (end or start) + window for start, end in machine.disturbed):
            continue
        told = [lag for when, lag in words if when <= sample.when]
        assert told, f"{machine.name}: nothing was said of the lag for {window} seconds:\n{machine.log()}"
        around = [
            (before.sent - after.arrived, after.most - before.arrived)
            for before, after in itertools.pairwise(samples[: index + 2])
            if sample.when - window <= after.when
        ]
        low, high = min(low for low, _ in around), max(high for _, high in around) + WINDOW
        assert low <= told[-1] <= high, (
            f"{machine.name}: at {sample.when:.1f} the last word was 'lag {told[-1]}', and it was {low} to {high} in "
            f"the {window} seconds before:\n" + "\n".join(f"{when:.1f} {line}" for when, line in machine.said)
        )
        looked += 1
    print(f"{machine.name}: the lag was right at {looked} moments, {len(words)} words")
    assert looked > 5
