"""The two images, made of the built wheel on a Debian 13: what is in them runs, as nobody's root, and is watched."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest
from docker.errors import APIError, BuildError

from harness.engines.cache import images
from release.contexts import fill
from tests.helpers.directories import short_directory
from tests.packaging.conftest import locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docker.models.containers import Container

UID = 65532
SENDER = 1500
RUN = "/run/claude-observatory"
MASKED = ["seccomp=unconfined", "apparmor=unconfined"]
NAMESPACES = [*MASKED, "systempaths=unconfined"]


@pytest.fixture(scope="session")
def built_images(everybodys: Path, built: Path) -> Iterator[dict[str, str]]:
    """The images by their names here, each built once on a Debian 13 of this engine's, and removed at the end."""
    marker = everybodys / "images"
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        with locked(marker):
            if not marker.exists():
                base = images.ensure(client, "trixie")
                contexts = built / "images"
                if not contexts.exists():
                    contexts = fill(built)
                made = {}
                for context in contexts.iterdir():
                    arguments = {"BASE": base, "TARGETARCH": client.version()["Arch"]}
                    image, _ = client.images.build(
                        path=str(context), buildargs=arguments, network_mode="host", rm=True, forcerm=True
                    )
                    made[context.name] = str(image.id)
                marker.write_text(json.dumps(made), encoding="utf-8")
        yield json.loads(marker.read_text(encoding="utf-8"))


@pytest.fixture
def shared() -> Iterator[Path]:
    """The directory of the server's socket, which every user of this machine reaches."""
    with short_directory(0o755) as directory:
        os.chown(directory, UID, UID)
        yield directory


@pytest.fixture
def server(built_images: dict[str, str], shared: Path) -> Iterator[Container]:
    """The server's container, from which the engine takes all that it can."""
    second = 1_000_000_000
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        container = client.containers.run(
            built_images["server"],
            cap_drop=["ALL"],
            detach=True,
            healthcheck={"interval": second, "timeout": 3 * second, "retries": 1, "start_period": 0},
            network_mode="none",
            pid_mode="host",
            read_only=True,
            security_opt=["no-new-privileges"],
            volumes=[f"{shared}:{RUN}"],
        )
        try:
            yield container
        finally:
            container.remove(force=True, v=True)


def state(container: Container) -> dict[str, Any]:
    """What the engine says of it now."""
    container.reload()
    found: dict[str, Any] = container.attrs["State"]
    return found


def turns(container: Container, health: str) -> None:
    """Wait until the engine says so of the container's health."""
    end = time.monotonic() + 120
    while (now := state(container))["Health"]["Status"] != health:
        assert now["Running"], container.logs().decode()
        assert time.monotonic() < end, now
        time.sleep(0.2)


def send(socket: Path) -> None:
    """An event of another user's of this machine."""
    curl = ["curl", "-sS", "--fail", "--unix-socket", str(socket), "-d", '{"_peer_uid": 0}']
    command = ["setpriv", f"--reuid={SENDER}", f"--regid={SENDER}", "--clear-groups", *curl]
    subprocess.run([*command, "http://localhost/hook?event=Greeting"], check=True)


def test_the_server_knows_who_of_the_machine_sends(server: Container, shared: Path) -> None:
    turns(server, "healthy")
    send(shared / "observatory.sock")
    # It stays when it has said them, and so the engine drops nothing of it (tests/helpers/containers.py).
    follow = ["/usr/bin/python3", "-m", "observatory", "events", "--json", "--follow"]
    with subprocess.Popen(["docker", "exec", str(server.id), *follow], stdout=subprocess.PIPE) as follower:
        assert follower.stdout is not None
        event = json.loads(follower.stdout.readline())
        follower.terminate()
    assert (event["_event"], event["_peer_uid"]) == ("Greeting", SENDER)
    assert isinstance(event["_peer_pid"], int)
    server.stop()
    assert server.wait()["StatusCode"] == 0


def test_the_server_runs_as_no_user_of_the_machine_and_without_a_shell(server: Container) -> None:
    turns(server, "healthy")
    first = state(server)["Pid"]
    lines = Path(f"/proc/{first}/status").read_text("ascii").split("\n")
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Uid"].split() == [str(UID)] * 4
    assert int(status["CapBnd"], 16) == 0
    for shell in ("/bin/sh", "sh", "/bin/bash", "apt-get", "perl"):
        said = server.exec_run([shell, "-c", "true"]).output
        assert isinstance(said, bytes)
        assert b"no such file or directory" in said or b"executable file not found" in said, said


def test_a_server_that_hangs_is_told_from_one_that_answers(server: Container) -> None:
    turns(server, "healthy")
    server.kill("SIGSTOP")
    turns(server, "unhealthy")
    server.kill("SIGCONT")
    turns(server, "healthy")


def test_the_images_are_small_and_have_no_root(built_images: dict[str, str]) -> None:
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        server, harness = (client.images.get(built_images[name]).attrs for name in ("server", "harness"))
    assert server["Size"] < 80_000_000
    assert harness["Size"] < 300_000_000
    assert server["Config"]["User"] == f"{UID}:{UID}"
    assert harness["Config"]["User"] == "harness"
    assert server["Config"]["Healthcheck"]["Test"][0] == "CMD"


def harness(image: str, *words: str, options: Sequence[str] = (), user: str = "harness") -> tuple[int, str]:
    """By the engine's command line, which alone knows of `systempaths`."""
    security = [f"--security-opt={option}" for option in options]
    command = ["docker", "run", "--rm", "--init", "--network=none", f"--user={user}", *security, image, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_harness_makes_its_places_where_the_engine_allows_it(built_images: dict[str, str]) -> None:
    status, said = harness(built_images["harness"], "run", "home-0750", options=NAMESPACES)
    assert status == 0, said
    assert "all agree" in said


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("user", "options"), [("harness", []), ("harness", MASKED), ("root", [])])
def test_the_harness_says_in_a_sentence_where_it_does_not(
    built_images: dict[str, str], user: str, options: list[str]
) -> None:
    """As an ordinary user it hung here: unshare(1) leaves a child behind that waits for ever."""
    status, said = harness(built_images["harness"], "run", "home-0750", user=user, options=options)
    assert (status, said.count("\n")) == (69, 1), said
    assert "the namespace engine" in said
    status, said = harness(built_images["harness"], "--version", user=user, options=options)
    assert status == 0, said


def test_a_tree_for_another_python_is_noticed_when_the_image_is_built(
    built: Path, built_images: dict[str, str]
) -> None:
    """Debian 12 has Python 3.11, and the tree's native parts are for 3.13."""
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        arguments = {"BASE": images.ensure(client, "bookworm"), "TARGETARCH": client.version()["Arch"]}
        with pytest.raises((BuildError, APIError), match="returned a non-zero code"):
            client.images.build(
                path=str(built / "images" / "server"), buildargs=arguments, network_mode="host", rm=True, forcerm=True
            )
