"""The action for other repositories' workflows: its own script, run as a runner would run it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.plugin.conftest import ROOT, environment, example

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.plugin.conftest import Project

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def begin(project: Project, **given: str) -> subprocess.Popen[str]:
    """Begin the last step with these inputs and the defaults of the others; the job's summary goes to `summary.md`."""
    step = ACTION["runs"]["steps"][-1]
    inputs: dict[str, Any] = {
        name: given.get(name, about.get("default", "")) for name, about in ACTION["inputs"].items()
    }
    variables = environment()
    for variable, value in step["env"].items():
        (name,) = re.findall(r"inputs\.(\w+)", value)
        variables[variable] = inputs[name]
    variables["GITHUB_STEP_SUMMARY"] = str(project.directory / "summary.md")
    return subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=project.directory,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(project: Project, **given: str) -> subprocess.CompletedProcess[str]:
    with begin(project, **given) as step:
        try:
            said, errors = step.communicate(timeout=280)
        finally:
            step.kill()
    return subprocess.CompletedProcess(step.args, step.returncode, said, errors)


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


@pytest.mark.parametrize(
    "command",
    [
        "python3 '{directory}/my book/guestbook.py' {{socket}} {{mode}}",
        "export BOOK='{directory}/my book'\nexec python3 \"$BOOK/guestbook.py\" \\\n  {{socket}} {{mode}}\n",
    ],
    ids=["quotes", "lines"],
)
def test_the_command_is_a_shells_and_there_may_be_several_mounts(project: Project, command: str) -> None:
    book = project.directory / "my book"
    book.mkdir()
    (book / "guestbook.py").write_bytes((project.directory / "guestbook.py").read_bytes())
    given = {**inputs(project), "command": command.format(directory=project.directory)}
    given["mount"] = f"{project.directory}/office.toml\n{book}\n"
    done = run(project, **given, only="mode")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 held" in done.stdout


def test_a_subject_file_says_all_and_the_jobs_page_gets_a_summary(project: Project) -> None:
    file = project.directory / "subject.toml"
    file.write_text(
        f'command = "python3 {project.directory}/guestbook.py {{socket}} {{mode}}"\nspeaks = "http"\n', encoding="utf-8"
    )
    summary, junit, sarif = (project.directory / name for name in ("summary.md", "junit.xml", "results.sarif"))
    given = {"subject": str(file), "engine": project.engine, "python": str(project.python)}
    done = run(project, **given, only="mode lifetime", junit=str(junit), sarif=str(sarif))
    assert done.returncode == 1, done.stdout + done.stderr
    text = summary.read_text(encoding="utf-8")
    assert "| mode | held |" in text
    assert "| lifetime | **broken** |" in text
    assert 'failures="1"' in junit.read_text(encoding="utf-8")
    assert '"ruleId": "lifetime"' in sarif.read_text(encoding="utf-8")


def test_a_run_that_takes_too_long_is_ended_and_says_what_it_found_and_what_not(project: Project) -> None:
    page, junit = project.directory / "page.html", project.directory / "junit.xml"
    slow = {**inputs(project), "command": f"sleep 3; {inputs(project)['command']}"}
    with begin(project, **slow, only="mode creation-window", page=str(page), junit=str(junit), timeout="600") as step:
        assert step.stdout is not None
        assert step.stderr is not None
        try:
            assert re.match("held +mode ", step.stdout.readline())
            (running,) = subprocess.check_output(["pgrep", "-P", str(step.pid), "-x", "timeout"], text=True).split()
            os.kill(int(running), signal.SIGALRM)  # as its clock does when the time is over
            said, errors = step.communicate(timeout=280)
        finally:
            step.kill()
    assert step.returncode == 124, said + errors
    assert "Traceback" not in errors
    assert "::error::The checks were ended after 600 seconds" in said
    assert "What holds of which server" in page.read_text(encoding="utf-8")
    assert "the run was interrupted before this check ended" in junit.read_text(encoding="utf-8")
    summary = (project.directory / "summary.md").read_text(encoding="utf-8")
    assert "| mode | held |" in summary
    assert "| creation-window | **?** |" in summary


def test_the_time_that_a_run_may_take_is_an_input(project: Project) -> None:
    done = run(project, **inputs(project), timeout="0.001")
    assert done.returncode == 124, done.stdout + done.stderr
    assert "::error::The checks were ended after 0.001 seconds" in done.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mode": "0600", "user": "root"}, "subject.toml says what the server is: write mode, user there"),
        ({"speaks": "http"}, "subject.toml says what the server is: write speaks there"),
        ({"mount": "/opt/server\n"}, "subject.toml says what the server is: write mounts there"),
        ({"command": "server {socket}"}, "::error::The inputs subject and command each say what the server is"),
        ({"subject": ""}, "::error::Nothing says what the server is: give the input subject or the input command."),
    ],
)
def test_what_would_have_no_effect_is_refused(project: Project, given: dict[str, str], sentence: str) -> None:
    (project.directory / "subject.toml").write_text('command = "server {socket}"\n', encoding="utf-8")
    always = {"subject": "subject.toml", "engine": project.engine, "python": str(project.python)}
    done = run(project, **{**always, **given})
    assert done.returncode == 2, done.stdout + done.stderr
    assert sentence in done.stdout + done.stderr


def test_the_workflow_of_the_documentation_uploads_what_its_check_writes() -> None:
    (job,) = yaml.safe_load(example()["sockets.yml"])["jobs"].values()
    check, upload = job["steps"][-2:]
    assert check["with"]["sarif"] == upload["with"]["sarif_file"]
    assert job["permissions"]["security-events"] == "write"
    assert "cancelled" in upload["if"]  # what is broken fails the check, and is to be uploaded


SERVERS = ("redis", "memcached", "haproxy", "nginx", "dbus-daemon")


@pytest.mark.parametrize("server", SERVERS)
def test_a_strangers_workflow_checks_a_server_of_debians_by_a_file_of_this_repository(
    project: Project, server: str
) -> None:
    """The workflow of docs/plugin.md, step by step, in a checkout of somebody else's."""
    (job,) = yaml.safe_load(example()["sockets.yml"])["jobs"].values()
    (step,) = [step for step in job["steps"] if "claude-observatory" in step.get("uses", "")]
    assert job["strategy"]["matrix"]["server"] == list(SERVERS)
    with_ = {key: str(value).replace("${{ matrix.server }}", server) for key, value in step["with"].items()}
    file = ROOT / "contrib" / "subjects" / Path(with_["subject"]).name
    described = tomllib.loads(file.read_text(encoding="utf-8"))
    program = described["command"].split()[0]
    if project.engine == "namespace" and shutil.which(program) is None:
        pytest.skip(f"for {program} in a namespace install Debian's {described['packages'][0]}")
    (project.directory / file.name).write_bytes(file.read_bytes())
    given = {**with_, "subject": file.name, "engine": project.engine, "python": str(project.python)}
    done = run(project, **given, only="mode umask takeover-live")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " held" in done.stdout
