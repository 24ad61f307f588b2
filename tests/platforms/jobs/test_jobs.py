"""What the workflow runs on Linux runs in a clean container: Debian, this checkout, and nothing else."""

from __future__ import annotations

import contextlib
import re
import subprocess
from typing import TYPE_CHECKING

import docker
import pytest

from harness.engines.cache import images
from tests.helpers.clean_machine import clean_machine, way_to_packages
from tests.helpers.containers import run
from tests.platforms.jobs.workflow import WORKFLOW, Job, jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.models.containers import Container

ROOT = WORKFLOW.parents[2]
JOBS = jobs(WORKFLOW.read_text(encoding="utf-8"))
LIKE_A_RUNNER = ("ca-certificates", "git", "nodejs", "python3-venv", "sudo")
"""Debian packages for what GitHub's runners have and the workflow relies on."""
LONG = [
    "kernels",
    "architectures",
    "oracle",
    "endurance",
    "mutants",
    "plugin",
    "packaging",
    "pythons",
    "settings",
    "client",
    "web",
    "fleet",
    "rehearsal",
]
COLLECTED = {
    **dict.fromkeys(("integration", "host"), "an engine inside of a container is not the one on the runner"),
    **dict.fromkeys(
        [f"sessions-{name}" for name in LONG],
        "it takes minutes, and is a session of its own here",
    ),
}
"""Jobs whose tests are collected and not run in the container: all is installed, and every test can be imported."""
OTHER_PYTHONS = {job.title for job in JOBS if job.choice.get("python", "3.11") != "3.11"}
"""Debian bookworm has one Python. The commands are those of the one that is run."""


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Container]:
    """A clean machine with a fresh checkout of this repository's last commit in /checkout."""
    job: Job = request.param
    tmp_path.chmod(0o755)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", str(checkout)], check=True)
    # sudo is set up on the runners such that the variables which are to be preserved are not the only ones.
    keep = f'Defaults env_keep += "{" ".join([*way_to_packages(), "PYTEST_ADDOPTS"])}"\n'
    with contextlib.closing(docker.from_env(timeout=600)) as client:
        image = images.ensure(client, "bookworm", LIKE_A_RUNNER)
    with clean_machine(image, checkout, "/checkout", {"CI": "true", **job.environment}) as container:
        said(container, f"printf '%s' '{keep}' >/etc/sudoers.d/way; git config --global --add safe.directory /checkout")
        yield container


def said(container: Container, command: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a step as the runner does."""
    return run(container, ["bash", "-e", "-c", command], environment)


def reason(job: Job) -> str | None:
    """Why this job's tests are only collected; `None` if they are run."""
    return COLLECTED.get(job.name, COLLECTED.get(job.title))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("machine", "job"),
    [pytest.param(job, job, id=job.title) for job in JOBS if job.title not in OTHER_PYTHONS],
    indirect=["machine"],
)
def test_a_jobs_commands_succeed_in_a_clean_container(machine: Container, job: Job) -> None:
    options = {"PYTEST_ADDOPTS": "--collect-only -qq"} if reason(job) else {}
    for command in job.commands:
        status, output = said(machine, command, options)
        assert status == 0, f"{command}\n{output[-6000:]}"


@pytest.mark.parametrize("machine", [JOBS[0]], ids=["clean"], indirect=True)
def test_a_command_that_fails_is_seen(machine: Container) -> None:
    status, output = said(machine, "./noxw -s no-such-session")
    assert status != 0
    assert "no-such-session" in output


def test_what_is_only_collected_is_a_job_that_there_is() -> None:
    assert set(COLLECTED) <= {job.name for job in JOBS} | {job.title for job in JOBS}


def test_the_commands_of_another_python_are_those_of_the_one_that_is_run() -> None:
    run = {(job.name, job.commands) for job in JOBS if job.title not in OTHER_PYTHONS}
    assert {(job.name, job.commands) for job in JOBS if job.title in OTHER_PYTHONS} <= run


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.title)
def test_each_step_is_one_call_of_nox(job: Job) -> None:
    for command in job.commands:
        assert re.fullmatch(r'(sudo --preserve-env=[A-Z_,]+ )?\./noxw -s [\w "$-]+( -- .*)?', command), command
