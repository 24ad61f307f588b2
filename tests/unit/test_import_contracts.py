"""Imports go where they may: one line against the contracts of pyproject.toml, and `lint-imports` fails."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command()"
BREACHES = {
    "the view of a terminal imports a command": (
        "observatory/watch/details.py",
        "import observatory.cli.table",
        "observatory: its packages import downwards only",
        "observatory.watch.details -> observatory.cli.table (",
    ),
    "an error knows the commands": (
        "observatory/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from observatory.cli import main",
        "observatory: its packages import downwards only",
        "observatory.errors -> observatory.cli.main (",
    ),
    "a reader looks into the server's store": (
        "observatory/feed/row.py",
        "from observatory.store import Store",
        "observatory: whoever asks a server shares none of its code",
        "observatory.feed.row -> observatory.store (",
    ),
    "what commands share imports one of them": (
        "observatory/cli/origin.py",
        "import observatory.cli.forward",
        "observatory: no two modules import each other",
        "observatory.cli. It could be made acyclic by removing 1 dependency: - .origin -> .forward (",
    ),
    "the harness imports the server": (
        "harness/oracle/decide.py",
        "import observatory",
        "harness: nothing of it imports observatory",
        "harness.oracle.decide -> observatory (",
    ),
    "the oracle names a type of the engines": (
        "harness/oracle/decide.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness.engines.protocol import Place",
        "harness: its packages import downwards only",
        "harness.oracle.decide -> harness.engines.protocol (",
    ),
    "the agent asks the oracle": (
        "harness/inside/loader.py",
        "import harness.oracle.decide",
        "harness: the oracle and what runs inside a place share world alone",
        "harness.inside.loader -> harness.oracle.decide (",
    ),
    "the agent reads a world": (
        "harness/inside/loader.py",
        "import harness.world",
        "harness: what runs inside a place imports nothing of the rest",
        "harness.inside.loader -> harness.world (",
    ),
    "a subject knows its checks": (
        "harness/subjects/subject.py",
        "import harness.checks.check",
        "harness: its packages import downwards only",
        "harness.subjects.subject -> harness.checks.check (",
    ),
    "the testbed knows what should come of an attempt": (
        "harness/testbed/cast.py",
        "import harness.oracle.rules",
        "harness: what is done to a server knows nothing of what should come of it",
        "harness.testbed.cast -> harness.oracle.rules (",
    ),
    "a new package has no floor": (
        "harness/novelty/__init__.py",
        "",
        "harness: its packages import downwards only",
        "not listed as layers: - harness.novelty ",
    ),
}
"""Each with its file, the line, the contract that forbids it, and what is said of it below that contract."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of both packages and of the contracts."""
    for package in ("harness", "observatory"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """What the linter says of a tree."""
    words = [sys.executable, "-c", COMMAND, "--no-cache", "--no-logo"]
    return subprocess.run(words, cwd=tree, text=True, capture_output=True, check=False)


def broken(said: str) -> dict[str, str]:
    """By contract what is said of it, with a blank wherever there is white space."""
    parts = re.split(r"^(.+)\n-+\n", said, flags=re.MULTILINE)
    return {title: " ".join(text.split()) for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_a_line_against_the_direction_breaks_the_contract_that_forbids_it(tree: Path) -> None:
    """All at once, since each is told by itself, and the linter takes its time."""
    for name, line, _, _ in BREACHES.values():
        file = tree / name
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8") as more:
            more.write(f"\n{line}\n")
    done = lint_imports(tree)
    assert done.returncode == 1, done.stdout
    said = broken(done.stdout)
    assert [name for name, (_, _, contract, wanted) in BREACHES.items() if wanted not in said.get(contract, "")] == []


def test_modules_of_tests_that_are_in_no_package_have_names_of_their_own() -> None:
    """pytest imports each as a module of that name alone, so that two of one name can't be collected together."""
    alone = [path.name for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    assert len(alone) > 100
    assert [name for name, times in Counter(alone).items() if times > 1] == []
