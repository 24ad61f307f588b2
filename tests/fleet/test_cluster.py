"""Four forwarders, three NATS servers, and what happens to them on a bad day."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.fleet.command import environment
from tests.helpers.deadline import until
from tests.helpers.directories import short_directory
from tests.helpers.observatory_command import command
from tests.helpers.observatory_server import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.cluster import Cluster

EVENTS = int(os.environ.get("FLEET_EVENTS", "8000"))
CUT = float(os.environ.get("FLEET_CUT", "20"))
"""Seconds for which the link is cut."""
PAUSE = 0.25
"""Seconds between two questions: the cluster has no way to call back."""
SIZE = 600
HOSTS = ("web1", "web2", "ci1", "far1")


class Host:
    """A machine: a server, and a forwarder of its events."""

    def __init__(self, name: str, folder: Path, cluster: Cluster) -> None:
        self.name = name
        self.cluster = cluster
        self.folder = folder / name
        self.folder.mkdir()
        self.server = start(self.folder, stdout=subprocess.DEVNULL)
        self.sent = 0
        self.forwarder: subprocess.Popen[str] | None = None
        self.log = self.folder / "forward.log"

    def say(self, count: int) -> None:
        filling = "x" * (SIZE - 150)
        events = [
            ("PreToolUse" if n % 2 else "PostToolUse", {"session_id": f"s{n % 7}", "n": n, "filling": filling})
            for n in range(self.sent, self.sent + count)
        ]
        self.server.hooks().say_all(events)
        self.sent += count

    def start(self) -> None:
        far = self.name.startswith("far")
        network = self.cluster.network
        arguments = (
            "forward",
            "--socket",
            self.server.path,
            "--host",
            self.name,
            "--to",
            self.cluster.url(far=far),
        )
        with self.log.open("a") as log:
            self.forwarder = subprocess.Popen(
                network.inside(network.far if far else network.hub, command(*arguments)),
                stderr=log,
                text=True,
                env=environment(self.folder),
            )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        assert self.forwarder is not None
        self.forwarder.send_signal(number)
        self.forwarder.wait()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.kill()
        self.server.end()

    def said(self) -> str:
        return self.log.read_text()


@pytest.fixture
def hosts(cluster: Cluster) -> Iterator[list[Host]]:
    with short_directory() as folder, contextlib.ExitStack() as stack:
        made = []
        for name in HOSTS:
            made.append(Host(name, folder, cluster))
            stack.callback(made[-1].end)
        yield made


def make_stream(cluster: Cluster) -> None:
    """Make the stream by our own command, as soon as the cluster has a leader."""
    make = command("forward", "--to", cluster.url(), "--make-stream", "3")

    def made() -> bool:
        return (
            subprocess.run(
                cluster.network.inside(cluster.network.hub, make), check=False, capture_output=True
            ).returncode
            == 0
        )

    until(made, "the stream is made", 60, PAUSE)


@pytest.mark.timeout(1800)
def test_every_event_is_in_the_stream_once_and_in_order_whatever_breaks(cluster: Cluster, hosts: list[Host]) -> None:
    make_stream(cluster)
    quarter = EVENTS // 4
    first = quarter // 2

    # First in peace.
    network = cluster.network
    for host in hosts:
        host.say(first)
    for host in hosts:
        host.start()
    notes = len(hosts)  # each forwarder's, besides its events
    until(
        lambda: cluster.ask("state", "OBSERVATORY")["messages"] == 4 * first + notes,
        "the first half has arrived",
        300,
        PAUSE,
    )
    # Then everything else, while this and that breaks.
    speakers = [threading.Thread(target=speak, args=(host, quarter - first)) for host in hosts]
    for speaker in speakers:
        speaker.start()
    leader = cluster.ask("state", "OBSERVATORY")["leader"]
    cluster.end(leader, signal.SIGKILL)
    killed = time.monotonic()
    network.cut()
    hosts[0].kill()
    until(lambda: cluster.ask("state", "OBSERVATORY")["leader"] not in {None, leader}, "another leader", 60, PAUSE)
    print(f"another leader after {time.monotonic() - killed:.1f} s")
    hosts[0].start()
    cluster.start(leader)
    time.sleep(max(0.0, CUT - (time.monotonic() - killed)))  # the length of the cut is what is asked for
    network.mend()
    mended = time.monotonic()
    hosts[1].kill()
    hosts[1].start()
    for speaker in speakers:
        speaker.join()
    until(lambda: cluster.ask("state", "OBSERVATORY")["messages"] >= EVENTS + notes, "all have arrived", 900, PAUSE)
    print(f"all had arrived {time.monotonic() - mended:.1f} s after the cut")

    for host in hosts:
        host.kill(signal.SIGTERM)
        behind = max((float(found) for found in re.findall(r"lag \d+ events, ([0-9.]+) s", host.said())), default=0.0)
        print(f"{host.name}: {host.said().splitlines()[-1]}; at most {behind:.1f} s behind when it said so")
        assert "lag 0" in host.said().splitlines()[-1]
    read = subprocess.run(
        network.inside(network.hub, command("events", "--from", cluster.url(), "--json")),
        stdout=subprocess.PIPE,
        check=True,
    )
    seen: dict[str, list[int]] = {name: [] for name in HOSTS}
    for line in read.stdout.splitlines():
        event = json.loads(line)
        seen[event["_host"]].append(event["_id"])
    for host in hosts:
        ids = seen[host.name]
        assert len(ids) == len(set(ids)), f"{host.name}: {len(ids) - len(set(ids))} events are there twice"
        assert set(ids) == set(range(1, host.sent + 1)), f"{host.name}: events are missing"
        assert ids == sorted(ids), f"{host.name}: the order is not kept"
    assert sum(map(len, seen.values())) == EVENTS


def speak(host: Host, count: int) -> None:
    """Send events over the time of all that breaks, in small portions."""
    portions = 100
    for portion in range(portions):
        host.say(count * (portion + 1) // portions - count * portion // portions)
        time.sleep((CUT + 10) / portions)
