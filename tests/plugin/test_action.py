"""The action for other repositories' workflows: its own script, run as a runner would run it."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from tests.plugin.conftest import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Project

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def run(project: Project, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the last step with these inputs and the defaults of the others."""
    step = ACTION["runs"]["steps"][-1]
    inputs: dict[str, Any] = {
        name: given.get(name, about.get("default", "")) for name, about in ACTION["inputs"].items()
    }
    variables = environment()
    for variable, value in step["env"].items():
        (name,) = re.findall(r"inputs\.(\w+)", value)
        variables[variable] = inputs[name]
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=project.directory,
        env=variables,
        text=True,
        capture_output=True,
        check=False,
        timeout=280,
    )


def inputs(project: Project) -> dict[str, str]:
    return {
        "command": f"python3 {project.directory}/guestbook.py {{socket}} {{mode}}",
        "speaks": "http",
        "mount": str(project.directory),
        "engine": project.engine,
        "python": str(project.python),
    }


def test_the_action_passes_for_a_server_that_holds(project: Project) -> None:
    page = project.directory / "page.html"
    done = run(project, **inputs(project), only="mode umask", page=str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 held" in done.stdout
    assert "What holds of which server" in page.read_text(encoding="utf-8")


def test_the_action_fails_for_a_server_that_does_not(project: Project, change: Callable[[str, str, str], None]) -> None:
    change("guestbook.py", "os.umask(0o777 & ~int(mode, 8))", "os.umask(0)")
    done = run(project, **inputs(project), only="mode")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN  mode" in done.stdout


def test_every_input_of_the_action_reaches_the_command() -> None:
    used = re.findall(r"inputs\.(\w+)", (ROOT / "action.yml").read_text(encoding="utf-8"))
    assert set(ACTION["inputs"]) <= set(used)
