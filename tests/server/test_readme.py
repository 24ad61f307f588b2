"""What the README shows of the server works when it is pasted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.deadline import until
from tests.helpers.documents import code_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_name_sessions_that_exist() -> None:
    sessions = re.findall(r"^def (\w+)\(session: nox.Session\)", (ROOT / "noxfile.py").read_text(), re.MULTILINE)
    asked = re.findall(r"^\./noxw -s (.+)$", code_blocks(README, "sh")[1], re.MULTILINE)
    assert len(asked) == 2
    assert {name for names in asked for name in names.split()} <= set(sessions)


def test_the_server_part_works_as_it_is_written(need: Callable[[str, str], str], tmp_path: Path) -> None:
    need("curl", "curl")
    serve, visit = code_blocks(README, "sh")[2:4]
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "observatory"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m observatory "$@"\n')
    command.chmod(0o755)
    environment = {
        "CLAUDE_UNIX_HOOK_WATCHER": str(tmp_path / "s"),
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    with subprocess.Popen(
        ["sh", "-c", f"exec {serve}"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        assert "listening on" in server.stderr.readline()
        visited = subprocess.run(
            ["sh", "-e", "-c", visit.replace("observatory doctor\n", "")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        doctor: list[subprocess.CompletedProcess[str]] = []

        def finds_that_no_hooks_are_installed() -> bool:
            words = ["observatory", "doctor"]
            doctor.append(subprocess.run(words, env=environment, capture_output=True, text=True, check=False))
            wrong = [line.split()[1] for line in doctor[-1].stdout.splitlines() if not line.startswith("ok")]
            return (doctor[-1].returncode, wrong) == (1, ["hooks"])

        # On a busy machine it may find too that a hook takes too long.
        until(finds_that_no_hooks_are_installed, lambda: str(doctor[-1]))
        event = json.loads(server.stdout.readline())
        server.terminate()
    assert visited.returncode == 0, visited.stdout + visited.stderr
    assert (event["message"], event["_event"], event["_peer_uid"]) == ("hello", "Greeting", os.geteuid())
    assert "Greeting" in visited.stdout
    assert f"uid={os.geteuid()}(" in visited.stdout
    assert not (tmp_path / ".claude").exists(), "a dry run changed something"
