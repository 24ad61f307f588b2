"""The commands of docs/survey.md show the faults of Python's servers again when they are pasted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.subjects.web import WEB_SERVERS
from tests.helpers.survey_document import reproductions

PYTHONS = {subject.name for subject in WEB_SERVERS}
CASES = [
    pytest.param(check, command, id=f"{server}-{check}")
    for server, check, command in reproductions()
    if server in PYTHONS
]


@pytest.mark.parametrize(("check", "command"), CASES)
def test_a_pasted_command_shows_the_fault_again(check: str, command: str) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["sh", "-c", command], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"BROKEN  {check} " in done.stdout


def test_every_server_of_pythons_has_a_fault_to_show() -> None:
    assert {server for server, _, _ in reproductions()} >= PYTHONS
