"""The sweep: agrees with the kernel in every engine, and finds an oracle that is wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from harness.oracle import linux
from harness.trials.grid_sweep import ATTEMPTS, MODES, WHO, expectations, sweep_grid
from harness.trials.run import run_world
from harness.world import load
from tests.helpers.documents import code_blocks
from tests.helpers.outputs import unseen, wrong

if TYPE_CHECKING:
    from harness.engines.protocol import Engine, Place
    from harness.oracle import Rules

ROOT = Path(__file__).parents[3]
SOME = range(0, 0o1000, 37)
"""Modes of the directory that leave no bit out."""
WRONG = {
    "the group counts before the owner": {"classes": ("group", "owner", "acl", "other")},
    "nobody is in the group": {"classes": ("owner", "acl", "other")},
    "root is refused": {"overrides": ()},
    "no class for the owner": {"classes": ("acl", "group", "other")},
}


def test_the_grid_is_every_mode_under_every_mode_for_six_users() -> None:
    assert ATTEMPTS == 1_572_864
    decided = expectations(linux())
    assert sum(len(cells) for rows in decided.values() for cells in rows) == ATTEMPTS


def test_the_kernel_and_the_oracle_agree_on_a_part_of_the_grid(place: Place) -> None:
    made = [attempts for attempts, differing in sweep_grid(place, SOME) if not differing]
    assert sum(made) == len(SOME) * len(MODES) * len(WHO)


@pytest.mark.parametrize("rules", [replace(linux(), **change) for change in WRONG.values()], ids=WRONG.keys())  # type: ignore[arg-type]
def test_a_wrong_oracle_is_found_and_shown_in_two_nodes(place: Place, rules: Rules) -> None:
    found = [each for _, differing in sweep_grid(place, SOME, rules) for each in differing]
    assert found
    smallest = found[0].world
    assert len(smallest.nodes) == 2
    place.build(smallest)
    (seen,) = place.attempt(smallest.attempts)
    assert seen.outcome == found[0].observed != found[0].expected


def test_a_shard_is_a_part_of_the_whole_and_the_same_each_time(
    engine: Engine, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    summaries = []
    for _ in range(2):
        command = ["sweep", "--engine", engine.name, "--shard", "2/128", "--worlds", "2560", "--seed", "5", "--json"]
        assert main(command) == 0
        summaries.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert wrong("sweep", summaries) == []
    assert summaries[0]["disagreements"] == 0
    assert summaries[0]["attempts"] > 4 * len(MODES) * len(WHO)
    assert summaries[0]["attempts"] == summaries[1]["attempts"]
    assert list(tmp_path.iterdir()) == []


def test_the_document_on_scale_shows_what_its_commands_say(engine: Engine, tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    (block,) = code_blocks(text, "console")
    commands = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    said = ""
    for command in commands:
        script = f'harness() {{ {shlex.quote(sys.executable)} -m harness "$@"; }}; {command}'
        environment = {**os.environ, "HARNESS_ENGINE": engine.name, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        said += f"$ {command}\n{done.stdout}"
    assert steady(said) == steady(block)


def steady(text: str) -> list[str]:
    """The lines without what differs between machines: the engine, and how long it took."""
    return [
        re.sub(r" +", " ", re.sub(r"\bnamespace\b|\bdocker\b|\b\d+\.\d\b", "*", line)) for line in text.splitlines()
    ]


def test_a_disagreement_is_counted_said_and_saved_as_a_world_that_runs(
    engine: Engine,
    place: Place,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.trials.grid_sweep.rules_of", lambda *_: replace(linux(), overrides=()))
    few = ["sweep", "--engine", engine.name, "--shard", "1/512", "--worlds", "0"]
    assert main([*few, "--json"]) == 1
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (wrong("sweep", printed), unseen("sweep", printed)) == ([], set())
    assert main(few) == 1
    said = capsys.readouterr().out
    assert "root, directory 0000" in said
    assert "harness run disagreement-1.toml" in said
    world = load(tmp_path / "disagreement-1.toml")
    assert run_world(world, place, "").agree
