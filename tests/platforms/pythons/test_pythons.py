"""The main suite on the Pythons of Debian's releases: each in a root of its own, made of Debian's packages."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import ImageNotFound

from harness.engines.cache.directory import debian, locked
from tests.helpers.clean_machine import clean_machine
from tests.helpers.containers import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

ROOT = Path(__file__).parents[3]
RELEASES = {"bookworm": "3.11", "trixie": "3.13", "sid": "3.14"}
"""Each release and its Python."""
PACKAGES = ("python3", "python3-venv", "ca-certificates", "git", "procps", "passwd", "util-linux")
OPTIONS = ('--aptopt=Acquire::Check-Valid-Until "false"',)
"""A mirror's list of sid may be older than the week for which it is valid."""


def image_of(suite: str) -> str:
    """The image of a release, made now if the engine lacks it."""
    digest = hashlib.sha256(" ".join((suite, *PACKAGES)).encode()).hexdigest()[:12]
    name, tag = "claude-observatory-pythons", f"{suite}-{digest}"
    with contextlib.closing(docker.from_env(timeout=600)) as client, locked(f"image-{tag}"):
        try:
            client.images.get(f"{name}:{tag}")
        except ImageNotFound:
            archive = Path(f"/var/tmp/{name}-{tag}.tar")
            try:
                debian(suite, archive, "minbase", PACKAGES, OPTIONS)
                said = client.api.import_image_from_file(str(archive), repository=name, tag=tag)
                assert "error" not in json.loads(said.splitlines()[-1]), said
            finally:
                archive.unlink(missing_ok=True)
    return f"{name}:{tag}"


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """A clean machine of a release with a fresh checkout of the last commit in /checkout."""
    tmp_path.chmod(0o755)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(checkout)], check=True)
    with clean_machine(image_of(request.param), checkout, "/checkout", {}) as container:
        yield container


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("machine", "python"), RELEASES.items(), ids=RELEASES, indirect=["machine"])
def test_the_main_suite_passes(machine: Container, python: str) -> None:
    assert run(machine, ["python3", "--version"])[1].startswith(f"Python {python}.")
    script = "./noxw -s machine && ./noxw -s tests -- -q"
    status, said = run(machine, ["sh", "-ec", script], {"CI": "true"})
    assert status == 0, said[-8000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed, said[-2000:]
    assert int(passed[1]) > 1000
