"""In the container for development several users try to reach real servers, as `integration` has them do."""

from __future__ import annotations

import contextlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import docker
import pytest

from harness.engines.cache import images
from tests.helpers.clean_machine import way_to_packages
from tests.helpers.containers import run
from tests.platforms.jobs.workflow import WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.models.containers import Container

ROOT = WORKFLOW.parents[2]
FOLDER = ROOT / ".devcontainer"
DESCRIBED: dict[str, Any] = json.loads((FOLDER / "devcontainer.json").read_text(encoding="utf-8"))


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Container]:
    """The container as it is described, made and with what is to be done once it is there; a checkout in /checkout."""
    tmp_path.chmod(0o755)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(checkout)], check=True)
    way = way_to_packages()
    files = {file for file in way.values() if file.startswith("/")}
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        image, _ = client.images.build(
            path=str(FOLDER),
            dockerfile=DESCRIBED["build"]["dockerfile"],
            buildargs={"BASE": images.ensure(client, "trixie")},
            network_mode="host",
            rm=True,
            forcerm=True,
        )
        container = client.containers.run(
            str(image.id),
            ["sleep", "infinity"],
            cap_add=DESCRIBED["capAdd"],
            detach=True,
            environment={**DESCRIBED["containerEnv"], **way},
            init=DESCRIBED["init"],
            network_mode="host",
            security_opt=DESCRIBED["securityOpt"],
            user=DESCRIBED["remoteUser"],
            volumes=[f"{checkout}:/checkout", *(f"{file}:{file}:ro" for file in files)],
            working_dir="/checkout",
        )
        try:
            status, said = run(container, ["sh", "-c", DESCRIBED["postCreateCommand"]])
            assert status == 0, said[-3000:]
            yield container
        finally:
            container.remove(force=True)


@pytest.mark.timeout(3600)
def test_integration_runs_in_the_container_for_development(opened: Container) -> None:
    few = "tests/integration/engines/test_places.py"
    status, said = run(opened, ["sh", "-c", f"./noxw -s integration -- -q {few}"], {"CI": "true"})
    assert status == 0, said[-6000:]
    assert "passed" in said
