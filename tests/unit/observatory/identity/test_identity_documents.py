"""What docs/identity.md and docs/platforms.md say is so: the example runs, what they name exists, figures are right."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.engines.registry import ENGINES
from harness.inside.peers.cases import CASES as PLAYED
from observatory.identity import Unavailable, process
from tests.helpers.documents import code_blocks

ROOT = Path(__file__).parents[4]
IDENTITY = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
PLATFORMS = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
CASES = ROOT / "tests" / "integration" / "identity"


@pytest.mark.skipif(sys.platform != "linux", reason="prints what Linux says")
def test_the_example_runs_and_prints_who_one_is() -> None:
    (example,) = code_blocks(IDENTITY, "python")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True)

    assert done.stdout.split()[1:3] == [str(os.geteuid()), str(os.getegid())]


def test_every_case_that_is_named_is_played() -> None:
    tables = IDENTITY[IDENTITY.index("## What is promised") : IDENTITY.index("## Process details")]
    rows = re.findall(r"^\|.*\| ([^|]*) \|$", tables, re.MULTILINE)
    played = (CASES / "test_identity_cases.py").read_text() + (CASES / "test_identity_unknown.py").read_text()
    tested = {function.__name__ for name, function in PLAYED.items() if f'"{name}"' in played}
    named = set()
    for cell in rows:
        for name in re.findall(r"`(\w+)`", cell):
            named.add(name)
            assert name in tested, name
        for file in re.findall(r"`(\w+\.py)`", cell):
            assert (CASES / file).exists(), file
    assert named == tested - {"plain"}, "each case shows something"


def test_every_outcome_and_function_that_is_named_exists() -> None:
    for name in re.findall(r"`(?:Unavailable\.)?([A-Z]{4,6})`", IDENTITY):
        assert name in Unavailable.__members__
    for name in re.findall(r"^\| `(\w+)\(pidfd", IDENTITY, re.MULTILINE):
        assert callable(getattr(process, name))


def test_every_suite_that_is_named_exists_and_the_figures_are_right() -> None:
    sessions = re.findall(r"\./noxw -s (\w+)", PLATFORMS)
    assert set(sessions) == {
        *("kernels", "architectures", "abi", "unsupported", "jobs", "integration", "rehearsal", "pythons", "settings"),
    }
    declared = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    for name in sessions:
        assert f"\ndef {name}(session" in declared, name
    engines = re.findall(r"--harness-engine (\w+)", PLATFORMS)
    assert set(engines) == set(ENGINES)
    from tests.platforms.abi.assertions import TARGETS, source

    (targets,) = re.findall(r"compiled for (\d+) targets", PLATFORMS)
    assert len({target.name for target in TARGETS}) == int(targets)
    (assertions,) = re.findall(r"some (\d+) static assertions", PLATFORMS)
    assert abs(sum(source(target).count("_Static_assert") for target in TARGETS) - int(assertions)) < 50
