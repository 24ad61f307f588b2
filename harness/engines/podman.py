"""The podman engine: the docker engine, spoken to podman's Docker-compatible API.

Where no service answers, one is started for as long as this process lives. As root it makes rootful containers; for an
ordinary user rootless ones, whose root is that user and whose other ids are the user's subordinate ids.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from docker.types import Ulimit

from harness.engines import leftovers
from harness.engines.cache.directory import last_line
from harness.engines.docker import DockerEngine
from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

LIMITS = [Ulimit(name=name, soft=most, hard=most) for name, most in (("nofile", 1024), ("nproc", 8192))]
"""Podman raises these to the host's limits, which a root without CAP_SYS_RESOURCE may not. Processes are counted by uid
on the whole machine (getrlimit(2)): with few, the crowd in one place would stop a server in another.
"""
SERVICE = """
"$@" system service --time=0 "unix://$SOCKET" 2>"$SOCKET.log" &
exec >/dev/null  # the one end of this pipe is podman's alone, and so says whether it is there
read -r never  # nobody writes: this ends with the harness
kill "$!"
wait
rm -rf "${SOCKET%/*}"
"""


class PodmanEngine(DockerEngine):
    """Places in containers of podman."""

    name = "podman"
    limits = MappingProxyType({"ulimits": LIMITS})

    def __init__(self) -> None:
        super().__init__()
        self._service: Service | None = None

    @contextlib.contextmanager
    def connected(self) -> Iterator[docker.DockerClient]:
        """Podman's API, as long as it is needed; the service is started if none is named by CONTAINER_HOST."""
        if self._service is None and "CONTAINER_HOST" not in os.environ:
            self._service = Service()
        with super().connected() as client:
            yield client

    def available(self) -> str | None:
        """`None` if podman works here, else what to install or change."""
        try:
            with self.connected() as client:
                client.ping()
        except PlaceError as error:
            return f"{error}; install podman, or set CONTAINER_HOST"
        return None

    def environment(self) -> dict[str, str]:
        """Where the API is, as docker's library reads it from the environment."""
        return {"DOCKER_HOST": os.environ["CONTAINER_HOST"] if self._service is None else self._service.address}

    def _kind(self) -> str:
        """What claims say. A service of one's own has a new address each time, and the same containers."""
        return f"container podman {os.environ.get('CONTAINER_HOST', '')}"

    def command(self) -> list[str]:
        """The command-line client for the same service."""
        return ["podman", "--url", self.environment()["DOCKER_HOST"]]


class Service:
    """`podman system service`, which ends with this process, however that ends."""

    def __init__(self) -> None:
        podman = shutil.which("podman")
        if podman is None:
            raise PlaceError("podman is not installed here")
        # crun refuses machines with both versions of cgroups mounted; runc takes them.
        runtime = ["--runtime", "runc"] if shutil.which("runc") else []
        self._claim = leftovers.make_directory("podman-")
        path = f"{self._claim.which}/s"
        self.address = f"unix://{path}"
        self._process = subprocess.Popen(
            ["sh", "-c", SERVICE, "sh", podman, *runtime],
            env={**os.environ, "SOCKET": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[self._claim.lock.fileno()],
        )
        atexit.register(self.end)
        self._wait(path)

    def end(self) -> None:
        """End the service."""
        self._process.communicate()
        leftovers.remove(self._claim)

    def _wait(self, path: str) -> None:
        """Until somebody listens there. Raises PlaceError with podman's last words if it ends, or takes too long."""
        assert self._process.stdout is not None
        until = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_UNIX) as probe:
            while probe.connect_ex(path) != 0:
                if select.select([self._process.stdout], [], [], INTERVAL)[0] or time.monotonic() > until:
                    said = ""
                    with contextlib.suppress(FileNotFoundError):
                        said = Path(f"{path}.log").read_text(encoding="utf-8", errors="replace")
                    self.end()
                    raise PlaceError(f"podman's service does not answer: {last_line(said)}")


INTERVAL = 0.02
"""Seconds between two looks at whether it listens."""
PATIENCE = 30.0
"""Seconds that it may take to listen, on a machine that has much else to do."""
