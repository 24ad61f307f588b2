"""The README's two commands on machines that have little, or that forbid much: what can't be is said in a sentence.

Each machine is a container with a fresh checkout. The second command has a few tests of those that need a place and of
those that need none; `$SETTINGS=whole` has it run the whole suite, as a user's would.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from tests.helpers.clean_machine import clean_machine
from tests.helpers.containers import run
from tests.helpers.debian_images import image_of
from tests.helpers.web_proxy import web_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container
    from docker.models.networks import Network

ROOT = Path(__file__).parents[3]
SOCKET = "/var/run/docker.sock"
PACKAGES = ("python3", "git", "ca-certificates")
FEW = "tests/unit/harness/oracle tests/integration/engines/test_places.py"
DEMO = "./noxw -s demo"
SUITES = f"./noxw -s tests integration -- -q {'' if os.environ.get('SETTINGS') == 'whole' else FEW}"
DOCKERD = """
mkdir -p /var/lib/docker
mount -t tmpfs none /var/lib/docker
unshare --net dockerd --bridge none --iptables=false --ip6tables=false --storage-driver vfs >/tmp/dockerd 2>&1 &
until docker info >/dev/null 2>&1; do kill -0 $! || { cat /tmp/dockerd; exit 1; }; sleep 0.2; done
"""
"""An engine that answers and reaches no registry: it has a network of its own, with nothing in it."""
ORDINARY = """
useradd --create-home dev
git config --system --add safe.directory /checkout/.git
setpriv --reuid=dev --regid=dev --init-groups git clone -q /checkout /home/dev/checkout
"""
UNMASKED = """
awk '$5 ~ "^/proc/" {print $5}' /proc/self/mountinfo | sort -r | xargs -r -n1 umount
"""
"""As on a machine, nothing of /proc is hidden: where something is, the kernel lets no ordinary user mount another."""
RANGE = "echo dev:200000:65536 | tee /etc/subuid >/etc/subgid"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A fresh checkout of the last commit."""
    tmp_path.chmod(0o755)
    made = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(made)], check=True)
    return made


@pytest.fixture
def machine(request: pytest.FixtureRequest, checkout: Path) -> Iterator[Container]:
    """A machine with Python, git, apt and what else is asked for, and with the checkout in /checkout."""
    packages, plain, volumes = request.param
    image = image_of("bookworm", (*PACKAGES, *packages))
    with clean_machine(image, checkout, "/checkout", {}, plain=plain, volumes=volumes) as container:
        yield container


def has(*packages: str, plain: bool = False, volumes: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """What a machine has beyond Python, git and apt; `plain`: no more rights than Docker gives by itself."""
    return pytest.mark.parametrize("machine", [(packages, plain, volumes)], ids=[""], indirect=True)


def said(machine: Container, command: str, user: str = "root") -> tuple[int, str]:
    """How a command ends in the checkout, which for an ordinary user is a clone of their own, and what it says."""
    if user == "root":
        return run(machine, ["sh", "-ec", command])
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "env", f"HOME=/home/{user}"]
    return run(machine, [*become, "sh", "-ec", f"cd /home/{user}/checkout; {command}"])


def succeeds(machine: Container, script: str) -> None:
    status, words = said(machine, script)
    assert status == 0, words


def works(machine: Container, user: str = "root", *, by: str = "") -> str:
    """Both commands succeed, and places are made; what the first said."""
    status, demo = said(machine, by + DEMO, user)
    assert (status, "Traceback" in demo) == (0, False), demo[-6000:]
    assert re.search(r"\d+ attempts, 0 disagreements between the oracle and the kernel", demo), demo[-3000:]
    status, suites = said(machine, by + SUITES, user)
    assert status == 0, suites[-6000:]
    assert re.search(r"\d+ passed", suites), suites[-3000:]
    assert not re.search(r"SKIPPED.*no engine works here", suites), suites[-3000:]
    return demo


def leaves_out(machine: Container, user: str = "root") -> str:
    """No place can be made: the first command says so in a sentence, and for that the second leaves out some tests."""
    status, demo = said(machine, DEMO, user)
    sentences = re.findall(r"^demo: .*$", demo, re.MULTILINE)
    assert (status != 0, len(sentences), "Traceback" in demo) == (True, 1, False), demo[-6000:]
    status, suites = said(machine, SUITES, user)
    assert status == 0, suites[-6000:]
    assert re.search(r"\d+ passed", suites), suites[-3000:]
    reasons = set(re.findall(r"SKIPPED \[\d+\] \S+: (no engine works here: .*)", suites))
    assert len(reasons) == 1, suites[-3000:]
    return str(sentences[0])


@pytest.mark.timeout(7200)
@has()
def test_a_machine_with_python_git_and_apt_only(machine: Container) -> None:
    assert "engine: namespace (no docker engine answers" in works(machine)


@pytest.mark.timeout(7200)
@has("docker.io", "iptables", "util-linux", "mount")
def test_a_docker_engine_without_a_registry(machine: Container) -> None:
    succeeds(machine, DOCKERD)
    assert "engine: namespace (a file system of bookworm takes mmdebstrap" in works(machine)


@pytest.mark.timeout(7200)
@has(volumes=(f"{SOCKET}:{SOCKET}",))
def test_a_container_with_the_socket_of_the_docker_engine_outside(machine: Container) -> None:
    assert "engine: namespace (the docker engine does not see the files of this machine" in works(machine)


@pytest.mark.timeout(7200)
@has("uidmap")
def test_an_ordinary_user(machine: Container) -> None:
    succeeds(machine, ORDINARY + UNMASKED + RANGE)
    assert "engine: namespace" in works(machine, "dev")


@pytest.mark.timeout(7200)
@has()
def test_an_ordinary_user_without_subordinate_ids(machine: Container) -> None:
    succeeds(machine, ORDINARY)
    assert "install uidmap, give this user a range in /etc/subuid" in leaves_out(machine, "dev")


@pytest.mark.timeout(7200)
@has(plain=True)
def test_an_unprivileged_container(machine: Container) -> None:
    assert "it needs CAP_SYS_ADMIN" in leaves_out(machine)


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of the engine's in which there is this machine, and no way out."""
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        made = client.networks.create(f"harness-settings-{secrets.token_hex(4)}", internal=True)
        try:
            made.reload()
            yield made
        finally:
            made.remove()


@pytest.mark.timeout(7200)
def test_a_machine_behind_a_proxy(network: Network, checkout: Path) -> None:
    gateway: str = network.attrs["IPAM"]["Config"][0]["Gateway"]
    image = image_of("bookworm", PACKAGES)
    with (
        web_proxy(gateway) as proxy,
        clean_machine(image, checkout, "/checkout", {}, network=str(network.name)) as machine,
    ):
        _, words = said(machine, "apt-get update -o Acquire::Retries=0")
        assert "Failed to fetch" in words, "there is another way out"
        by = f"export http_proxy={proxy.address} https_proxy={proxy.address}; "
        works(machine, by=by)
        assert proxy.asked
