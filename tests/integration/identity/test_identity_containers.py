"""A server in one container, a peer in another, the socket in a volume that both have.

Where the engine has no containers, each side has what makes one: namespaces of its own, side by side in the place.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from harness.engines import bundle
from harness.engines.cache import images
from harness.engines.docker import DockerEngine
from harness.world import Node
from tests.helpers.containers import run
from tests.helpers.installation import INSIDE, SOURCE, libraries
from tests.integration.cast import CAST
from tests.integration.identity.conftest import (
    BARE,
    DATABASE,
    ENVIRONMENT,
    OBSERVATORY,
    PATIENCE,
    ROOT,
    SOCKET,
    Sent,
    end,
    proves,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from docker.models.containers import Container

    from harness.engines.protocol import Engine, Place

SERVERS = pytest.mark.parametrize("command", [OBSERVATORY, BARE], ids=["observatory", "bare"])


def order(socket: str) -> str:
    """What the peer reads on its standard input: the case to play."""
    return bundle.delivery("harness.inside.peers.cases", case="plain", endpoint=socket)


class Sides(Protocol):
    """Two containers, or what is as good: a server in the one, a peer in the other."""

    def play(self, command: list[str], socket: str, *, one_pid_namespace: bool) -> tuple[str, str]:
        """Start a server, let a peer speak to it: what the peer records, and what the server writes."""
        ...


class Containers:
    """Containers of the Docker engine or of podman, with a volume."""

    def __init__(self, engine: DockerEngine, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._limits = engine.limits
        self._client = stack.enter_context(engine.connected())
        self._image = images.ensure(self._client)
        volume = self._client.volumes.create()
        stack.callback(volume.remove, force=True)
        self._shared = {volume.name: {"bind": "/shared", "mode": "rw"}}
        self._program = {
            str(libraries(engine)): {"bind": f"{INSIDE}/libraries", "mode": "ro"},
            str(SOURCE): {"bind": f"{INSIDE}/source/observatory", "mode": "ro"},
        }

    def play(self, command: list[str], socket: str, *, one_pid_namespace: bool) -> tuple[str, str]:
        kept = ["sh", "-c", 'exec "$@" >/tmp/stdout 2>/tmp/stderr', "sh", *command]
        server = self._run(kept, {**self._shared, **self._program}, {**ENVIRONMENT, "HOME": "/root"}, None)
        self._line(server, "/tmp/stderr", "listening on")
        ordered = ["sh", "-c", 'printf %s "$ORDER" | "$@"', "sh", *bundle.COMMAND]
        pid = f"container:{server.id}" if one_pid_namespace else None
        peer = self._run(ordered, self._shared, {"ORDER": order(socket)}, pid)
        assert peer.wait()["StatusCode"] == 0, peer.logs().decode()
        return peer.logs(stderr=False).decode(), self._line(server, "/tmp/stdout", '"plain"')

    def _run(
        self, command: list[str], volumes: dict[str, Any], environment: dict[str, str], pid: str | None
    ) -> Container:
        container = self._client.containers.run(
            self._image,
            command,
            detach=True,
            entrypoint="",
            environment=environment,
            network_mode="none",
            network_disabled=True,
            pid_mode=pid,
            user="0:0",
            volumes=volumes,
            **self._limits,
        )
        self._stack.callback(container.remove, force=True)
        return container

    def _line(self, container: Container, file: str, text: str) -> str:
        """The first line with this text in a file in a running container, waited for."""
        status, output = run(container, ["sh", "-c", f"until grep -s -m 1 -F '{text}' {file}; do sleep .01; done"])
        assert status == 0, output
        return output


class Namespaces:
    """Two sets of namespaces in one place, each with a /tmp of its own; the directory /shared is in both."""

    APART = ("unshare", "--mount", "--ipc", "--uts", "--propagation", "private")
    PIDS = ("--pid", "--fork", "--kill-child", "--mount-proc")
    BEGIN = ("sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh")

    def __init__(self, place: Place, stack: contextlib.ExitStack) -> None:
        self._place = place
        self._stack = stack
        shared = Node("/shared", "directory", "root", "root", 0o755)
        place.build(replace(CAST, nodes=(*CAST.nodes, shared)))

    def play(self, command: list[str], socket: str, *, one_pid_namespace: bool) -> tuple[str, str]:
        apart = [*self.APART, *(() if one_pid_namespace else self.PIDS), *self.BEGIN]
        server = self._place.start([*apart, *command], ROOT, environment={**ENVIRONMENT, "HOME": "/root"})
        self._stack.callback(end, server)
        line = server.read_line("stderr", timeout=PATIENCE)
        assert "listening on" in line, line
        peer = self._place.run([*apart, *bundle.COMMAND], ROOT, input=order(socket), timeout=PATIENCE)
        assert peer.status == 0, peer.stderr
        return peer.stdout, server.read_line(timeout=PATIENCE)


@pytest.fixture(scope="module")
def sides(engine: Engine, place: Place, need: Callable[[str, str], str]) -> Iterator[Sides]:
    """Containers where the engine has them, else namespaces."""
    with contextlib.ExitStack() as stack:
        if isinstance(engine, DockerEngine):
            yield Containers(engine, stack)
        else:
            need("mount", "mount")
            yield Namespaces(place, stack)


@pytest.fixture
def between_containers(sides: Sides, request: pytest.FixtureRequest) -> Callable[..., Sent]:
    """Let a peer in one container speak to a server in another, and pair what the two say."""
    socket = f"/shared/{zlib.crc32(request.node.name.encode()):x}.sock"

    def speak(command: Sequence[str], *, one_pid_namespace: bool) -> Sent:
        words = {SOCKET: socket, DATABASE: "/tmp/observatory.sqlite"}
        whole = [words.get(word, word) for word in command]
        said, written = sides.play(whole, socket, one_pid_namespace=one_pid_namespace)
        own = json.loads(said)
        return Sent(own.pop("token"), own, json.loads(written))

    return speak


@SERVERS
def test_a_peer_in_another_container_has_its_uid_and_no_pid(
    between_containers: Callable[..., Sent], command: Sequence[str]
) -> None:
    sent = between_containers(command, one_pid_namespace=False)

    assert sent.seen["_peer_pid"] is None
    assert "_peer_process" not in sent.seen
    assert (sent.seen["_peer_uid"], sent.seen["_peer_gid"], sent.seen["_peer_groups"]) == (1501, 1501, [2001])


@SERVERS
def test_with_one_pid_namespace_for_both_it_has_its_pid_too(
    place: Place, between_containers: Callable[..., Sent], command: Sequence[str]
) -> None:
    sent = between_containers(command, one_pid_namespace=True)

    assert sent.fault() is None
    process = sent.seen.get("_peer_process")
    assert (process and process["pid"]) == (sent.own["pid"] if proves(place) else None)


def test_a_server_that_makes_up_a_pid_for_the_other_container_is_caught(
    between_containers: Callable[..., Sent],
) -> None:
    sent = between_containers([*BARE, "own"], one_pid_namespace=False)

    assert sent.seen["_peer_pid"] is not None
