"""The built files on clean machines, Debian 12 and 13, by pip, pipx and `uv tool`: every command is there and works."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import docker
import pytest
from uv import find_uv_bin

from harness.engines.cache import images
from tests.helpers.clean_machine import clean_machine
from tests.helpers.containers import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.models.containers import Container

PACKAGES = ("ca-certificates", "man-db", "pipx", "python3-venv")
PIP = "python3 -m venv /v && /v/bin/pip install -q --find-links /dist"
WAYS = {
    "pip": f"{PIP} {{name}} && ln -s /v/bin/[oh]* /usr/local/bin",
    "pipx": "PIPX_BIN_DIR=/usr/local/bin pipx install --pip-args='--find-links /dist' {name}",
    "uv": "UV_TOOL_BIN_DIR=/usr/local/bin /usr/bin/uv tool install -q --find-links /dist {name}",
}
SERVER = """python3 -c '
import os, socket, sys
os.umask(0o117)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True: listener.accept()
' {socket}"""
EVENT = """
observatory serve --database /tmp/db >/dev/null 2>&1 & until [ -S /tmp/claude-observatory.sock ]; do sleep 0.1; done
observatory whoami && observatory events; kill $!
"""


@pytest.fixture
def machine(request: pytest.FixtureRequest, built: Path) -> Iterator[Container]:
    """A clean machine of that release, plain or not, with what was built at /dist."""
    suite, _, plain = request.param.partition("-")
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        image = images.ensure(client, suite, PACKAGES)
    with clean_machine(image, built, "/dist", {}, plain=bool(plain)) as container:
        yield container


def shell(machine: Container, script: str) -> tuple[int, str]:
    return run(machine, ["bash", "-ec", script])


def succeeds(machine: Container, script: str) -> str:
    status, said = shell(machine, script)
    assert (status, "Traceback" in said) == (0, False), said
    return said


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("machine", ["bookworm", "trixie"], indirect=True)
def test_both_commands_work(machine: Container, way: str) -> None:
    if way == "uv":
        copy = ["docker", "cp", "--quiet", find_uv_bin(), f"{machine.id}:/usr/bin/uv"]
        subprocess.run(copy, check=True, capture_output=True)
    succeeds(machine, WAYS[way].format(name="'claude-observatory[harness]'"))
    assert "uid" in succeeds(machine, EVENT)
    assert "home-0750" in succeeds(machine, "harness scenarios")
    assert "all agree" in succeeds(machine, "cd /tmp && harness run home-0750")
    assert "1 held" in succeeds(machine, f"cd /tmp && harness check --only mode -- {SERVER}")
    assert " 0 disagreements" in succeeds(machine, "harness sweep --engine namespace --shard 1/128 --worlds 100")
    status, said = shell(machine, "harness images")
    assert (status, said.count("\n")) == (69, 1)
    assert "pip install 'claude-observatory[docker]'" in said


@pytest.mark.parametrize("machine", ["trixie"], indirect=True)
def test_what_is_installed_is_found_by_man_and_by_shells(machine: Container) -> None:
    """Below /usr/local, as an administrator may want it."""
    succeeds(machine, f"{PIP} --prefix /usr/local claude-observatory")
    assert "observatory" in succeeds(machine, "man -w observatory-serve")
    assert "harness" in succeeds(machine, "man -w harness-explain")
    for file in (
        "/usr/local/share/bash-completion/completions/harness",
        "/usr/local/share/zsh/site-functions/_observatory",
        "/usr/local/share/fish/vendor_completions.d/harness.fish",
        "/usr/local/lib/systemd/system/claude-observatory.socket",
    ):
        succeeds(machine, f"test -s {file}")


@pytest.mark.parametrize("machine", ["trixie-plain"], indirect=True)
def test_a_container_without_privileges_is_told_in_a_sentence_what_can_not_be(machine: Container) -> None:
    succeeds(machine, WAYS["pip"].format(name="'claude-observatory[harness]'"))
    for command in ("run home-0750", "check observatory", "shell home-0750 --as ali"):
        status, said = shell(machine, f"cd /tmp && harness {command}")
        assert (status, said.count("\n")) == (69, 1), said
        assert said.startswith("harness: no engine works here: the docker engine needs docker, which is not installed")
        assert "namespace engine" in said
    assert "uid" in succeeds(machine, EVENT)
    status, said = shell(machine, "harness explain /tmp --user nobody")
    assert status == 1
    assert "ECONNREFUSED" in said
