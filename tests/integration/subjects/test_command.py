"""`harness check` on a command line: a server of which it is told the command and no more, and what people mistype."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.engines.protocol import Engine

HERE = Path(__file__).parent
PERL = ("perl", "/srv/hooks/hooks.pl", "{socket}")
"""A hook server in another language: a process for each client, and nothing removed at the end."""


def check(engine: Engine, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "check", "--engine", engine.name, *words]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=200)


def test_a_server_in_another_language_is_checked_by_its_command_alone(engine: Engine) -> None:
    only = [word for name in ("mode", "forgery", "umask", "lifetime") for word in ("--only", name)]
    done = check(engine, "--json", "--speaks", "hooks", "--mount", f"{HERE}:/srv/hooks", *only, "--", *PERL)
    assert done.returncode == 1, done.stderr
    results = {result["check"]: result for result in map(json.loads, done.stdout.splitlines())}
    assert {name: result["verdict"] for name, result in results.items()} == {
        "mode": "held",
        "forgery": "held",
        "umask": "not applicable",
        "lifetime": "broken",
    }
    assert results["forgery"]["evidence"]["stranger by payload"]["seen"]["uid"] == 1503
    assert all(result["why"] for result in results.values())


def test_a_server_of_which_nothing_is_broken_ends_the_command_with_0(engine: Engine, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = check(engine, "--mount", f"{HERE}:/srv/hooks", "--only", "mode", "--html", str(page), "--", *PERL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 held" in done.stdout
    assert "0660 is asked for by the umask, it has 0660" in page.read_text(encoding="utf-8")


def test_a_server_that_does_not_start_is_said_to_be_one_and_why(engine: Engine) -> None:
    done = check(engine, "--", "sh", "-c", "echo no such luck >&2; exit 3", "{socket}")
    assert done.returncode == 2
    assert "sh can't be checked" in done.stderr
    assert "no such luck" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_makes_no_sense_is_refused_with_a_sentence(engine: Engine) -> None:
    for words, sentence in (
        (("postgres",), "there is no subject named 'postgres'"),
        (("--", "sleep", "1"), "write {socket} where its path belongs"),
        (("--only", "modes", "observatory"), "there is no check named 'modes'"),
        (("--mode", "0o660", "observatory"), "is not a mode"),
    ):
        done = check(engine, *words)
        assert done.returncode == 2, words
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
