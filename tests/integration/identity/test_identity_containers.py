"""A server in one container, a peer in another, the socket in a volume that both have."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import docker
import pytest

from harness import images
from harness.images import tree
from tests.integration.conftest import INSIDE, ROOT, SOURCE
from tests.integration.identity.conftest import ACT, ACTOR, ENVIRONMENT, LISTENER, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker.models.containers import Container

    from harness.place import Engine

SOCKET = "/shared/observatory.sock"
OBSERVATORY = [
    *("python3", "-m", "observatory", "serve", "--socket", SOCKET, "--mode", "0666"),
    *("--database", "/tmp/observatory.sqlite"),
]
REDIRECTED = ["sh", "-c", 'exec "$@" >/tmp/stdout 2>/tmp/stderr', "sh"]
BARE = ["python3", "-c", LISTENER, SOCKET]
SERVERS = pytest.mark.parametrize("command", [OBSERVATORY, BARE], ids=["observatory", "bare"])


@pytest.fixture
def between_containers(engine: Engine) -> Iterator[Callable[..., Sent]]:
    """Start a server in a container, let a peer in another one speak to it, and pair what the two say."""
    if engine.name != "docker":
        pytest.skip("two containers need an engine that has containers: --engine docker")
    installed = tree(ROOT / "locks" / "core.txt", engine)
    with contextlib.ExitStack() as stack:
        client = docker.from_env()
        stack.callback(client.close)
        image = images.ensure(client)
        volume = client.volumes.create()
        stack.callback(volume.remove, force=True)
        shared = {volume.name: {"bind": "/shared", "mode": "rw"}}
        program = {
            str(installed): {"bind": f"{INSIDE}/libraries", "mode": "ro"},
            str(SOURCE): {"bind": f"{INSIDE}/source/observatory", "mode": "ro"},
        }

        def run(command: list[str], volumes: dict[str, Any], environment: dict[str, str], pid: str | None) -> Container:
            container = client.containers.run(
                image,
                command,
                detach=True,
                entrypoint="",
                environment=environment,
                network_mode="none",
                pid_mode=pid,
                user="0:0",
                volumes=volumes,
            )
            stack.callback(container.remove, force=True)
            return container

        def speak(command: list[str], *, one_pid_namespace: bool) -> Sent:
            server = run([*REDIRECTED, *command], {**shared, **program}, {**ENVIRONMENT, "HOME": "/root"}, None)
            line_with(server, "/tmp/stderr", "listening on")
            pid = f"container:{server.id}" if one_pid_namespace else None
            peer = run([*ACT, "plain", SOCKET], shared, {"ACTOR": ACTOR}, pid)
            assert peer.wait()["StatusCode"] == 0, peer.logs().decode()
            own = json.loads(peer.logs(stderr=False))
            return Sent(own.pop("token"), own, json.loads(line_with(server, "/tmp/stdout", "plain")))

        yield speak


def line_with(container: Container, file: str, text: str) -> str:
    """The first line with this text in a file in a running container, waited for."""
    status, output = container.exec_run(["sh", "-c", f"until grep -s -m 1 -F '{text}' {file}; do :; done"])
    assert status == 0, output.decode()
    return str(output.decode())


@SERVERS
def test_a_peer_in_another_container_has_its_uid_and_no_pid(
    between_containers: Callable[..., Sent], command: list[str]
) -> None:
    sent = between_containers(command, one_pid_namespace=False)

    assert sent.seen["_peer_pid"] is None
    assert (sent.seen["_peer_uid"], sent.seen["_peer_gid"], sent.seen["_peer_groups"]) == (1501, 1501, [2001])


@SERVERS
def test_with_one_pid_namespace_for_both_it_has_its_pid_too(
    between_containers: Callable[..., Sent], command: list[str]
) -> None:
    assert between_containers(command, one_pid_namespace=True).fault() is None


def test_a_server_that_makes_up_a_pid_for_the_other_container_is_caught(
    between_containers: Callable[..., Sent],
) -> None:
    sent = between_containers([*BARE, "own"], one_pid_namespace=False)

    assert sent.seen["_peer_pid"] is not None
