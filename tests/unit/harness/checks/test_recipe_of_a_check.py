"""The recipe of docs/architecture.md for a new check, followed in a copy: what it names is what it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
TOY = '''"""toy: the server exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.check import Check, Finding, held

if TYPE_CHECKING:
    from harness.testbed.testbed import Testbed

HOLDS = "There is a server."


def attack(testbed: Testbed) -> Finding:
    """Do nothing."""
    return held(f"{testbed.subject.name} is there")


CHECK = Check("toy", HOLDS, attack)
'''


def recipe(name: str) -> list[str]:
    """The files that each step of a recipe names first."""
    _, _, text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition(f"### {name}\n")
    return re.findall(r"^\d+\. `([^`]+)`", text.partition("\n### ")[0], re.MULTILINE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("harness", "observatory", "tests", "docs", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            # With what is compiled; not with what is being written.
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        else:
            shutil.copy(source, tmp_path / name)
    return tmp_path


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )


def documents(copy: Path) -> int:
    """What the test of the documents says there."""
    return python(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/harness/checks/test_checks_documents.py"
    ).returncode


def test_a_check_that_is_added_by_the_recipe_is_found(copy: Path) -> None:
    steps = recipe("A check")
    assert steps[:2] == ["harness/checks/NAME.py", "harness/checks/__init__.py"]
    assert "docs/checks.md" in steps
    (copy / "harness" / "checks" / "toy.py").write_text(TOY)
    found = copy / "harness" / "checks" / "__init__.py"
    text = found.read_text()
    text = text.replace("    takeover_stale,\n    traversal", "    takeover_stale,\n    toy,\n    traversal", 1)
    found.write_text(text.replace("        inherited,\n    )", "        inherited,\n        toy,\n    )", 1))
    known = python(copy, "-m", "harness", "check", "--only", "nothing", "observatory").stderr
    assert re.search(r"\btoy\b", known), known
    assert documents(copy) == 1  # the row is missing
    page = copy / "docs" / "checks.md"
    rows = page.read_text()
    last = max(re.finditer(r"^\| `inherited` \|.*\n", rows, re.MULTILINE), key=lambda match: match.end())
    page.write_text(rows[: last.end()] + "| `toy` | There is a server. |\n" + rows[last.end() :])
    assert documents(copy) == 0


RECIPES = (
    *("A check", "An engine", "A subject", "A dialect", "A hook event", "A scenario", "A rule of the oracle"),
    "A platform's credentials",
)


@pytest.mark.parametrize("name", RECIPES)
def test_every_file_that_a_recipe_names_is_there(name: str) -> None:
    steps = recipe(name)
    assert steps
    for step in steps:
        where = ROOT / re.sub(r"(NAME|PLATFORM)\.\w+$", "", step)
        assert where.exists(), step
