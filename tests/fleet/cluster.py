"""A JetStream cluster of real servers, in network namespaces of its own, and a link that can be cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import nats.errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROOT = Path(__file__).parents[2]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@dataclass
class Network:
    """A namespace for the cluster and one that hangs on it by a cable."""

    hub: str
    far: str
    cable: str
    address: str = "10.213.0.1"

    def inside(self, where: str, command: list[str]) -> list[str]:
        return ["ip", "netns", "exec", where, *command]

    def cut(self) -> None:
        ip("-n", self.hub, "link", "set", self.cable, "down")

    def mend(self) -> None:
        ip("-n", self.hub, "link", "set", self.cable, "up")


@contextlib.contextmanager
def network() -> Iterator[Network]:
    made = Network(f"oh{os.getpid()}", f"of{os.getpid()}", f"oc{os.getpid()}")
    with contextlib.ExitStack() as stack:
        for name in (made.hub, made.far):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", made.hub, "link", "add", made.cable, "type", "veth", "peer", "name", "up0", "netns", made.far)
        ip("-n", made.hub, "address", "add", f"{made.address}/30", "dev", made.cable)
        ip("-n", made.far, "address", "add", "10.213.0.2/30", "dev", "up0")
        ip("-n", made.hub, "link", "set", made.cable, "up")
        ip("-n", made.far, "link", "set", "up0", "up")
        yield made


@dataclass
class Cluster:
    """Three servers."""

    network: Network
    folder: Path
    program: str
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def url(self, *, far: bool = False) -> str:
        host = self.network.address if far else "127.0.0.1"
        return ",".join(f"nats://{host}:{4221 + node}" for node in (1, 2, 3))

    def start(self, node: int) -> None:
        routes = ", ".join(f"nats://127.0.0.1:{6221 + other}" for other in (1, 2, 3) if other != node)
        config = self.folder / f"n{node}.conf"
        config.write_text(
            f"server_name: n{node}\nlisten: 0.0.0.0:{4221 + node}\nno_auth_user: test\n"
            "accounts: { all: { jetstream: enabled, users: [{user: test, password: test}] }, $SYS: { users: [] } }\n"
            f"jetstream {{ store_dir: {self.folder / f'js{node}'}, max_mem: 64M, max_file: 4G }}\n"
            f"cluster {{ name: c, listen: 127.0.0.1:{6221 + node}, no_advertise: true, routes: [{routes}] }}\n"
        )
        log = (self.folder / f"n{node}.log").open("ab")
        with log:
            self.processes[node] = subprocess.Popen(
                self.network.inside(self.network.hub, [self.program, "-c", str(config)]), stdout=log, stderr=log
            )

    def end(self, node: int, number: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(node)
        process.send_signal(number)
        process.wait()

    def end_all(self) -> None:
        for node in list(self.processes):
            self.end(node, signal.SIGKILL)

    def ask(self, question: str, *arguments: str) -> Any:
        """Run a question of `questions.py` beside the cluster; its answer."""
        command = [sys.executable, "-m", "tests.fleet.questions", self.url(), question, *arguments]
        done = subprocess.run(
            self.network.inside(self.network.hub, command), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


async def attempt(url: str, work: Callable[[Any], Awaitable[Any]], seconds: float = 60) -> Any:
    """Do something with a JetStream that may not be ready yet."""
    until = time.monotonic() + seconds
    while True:
        nc = None
        try:
            nc = await nats.connect(url.split(","), connect_timeout=2, max_reconnect_attempts=3)
            return await work(nc.jetstream(timeout=5))
        except (nats.errors.Error, OSError, TimeoutError):
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.3)
        finally:
            if nc is not None:
                await nc.close()
