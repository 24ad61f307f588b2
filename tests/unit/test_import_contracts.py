"""Imports go where they may: one line against the contracts of pyproject.toml, and `lint-imports` fails."""

from __future__ import annotations

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
    ),
    "an error knows the commands": (
        "observatory/errors.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from observatory.cli import main",
        "observatory: its packages import downwards only",
    ),
    "a reader looks into the server's store": (
        "observatory/feed/row.py",
        "from observatory.store import Store",
        "observatory: whoever asks a server shares none of its code",
    ),
    "what commands share imports one of them": (
        "observatory/cli/origin.py",
        "import observatory.cli.forward",
        "observatory: no two modules import each other",
    ),
    "the harness imports the server": (
        "harness/oracle/decide.py",
        "import observatory",
        "harness: nothing of it imports observatory",
    ),
    "the oracle asks an engine": (
        "harness/oracle/decide.py",
        "from harness.engines.protocol import Place",
        "harness: its packages import downwards only",
    ),
    "the oracle names a type of the engines": (
        "harness/oracle/decide.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from harness.engines.protocol import Place",
        "harness: its packages import downwards only",
    ),
    "the agent asks the oracle": (
        "harness/inside/loader.py",
        "import harness.oracle.decide",
        "harness: the oracle and what runs inside a place share world alone",
    ),
    "a subject knows its checks": (
        "harness/subjects/subject.py",
        "import harness.checks.check",
        "harness: its packages import downwards only",
    ),
    "the testbed knows what should come of an attempt": (
        "harness/testbed/cast.py",
        "import harness.oracle.rules",
        "harness: what is done to a server knows nothing of what should come of it",
    ),
    "a new package has no floor": ("harness/novelty/__init__.py", "", "harness: its packages import downwards only"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of both packages and of the contracts."""
    made = tmp_path_factory.mktemp("tree")
    for package in ("harness", "observatory"):
        shutil.copytree(ROOT / package, made / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", made)
    return made


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """What the linter says of a tree."""
    words = [sys.executable, "-c", COMMAND, "--no-cache", "--no-logo"]
    return subprocess.run(words, cwd=tree, text=True, capture_output=True, check=False)


def test_the_tree_as_it_is_keeps_every_contract(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("breach", BREACHES)
def test_a_line_against_the_direction_breaks_the_contract_that_forbids_it(tree: Path, breach: str) -> None:
    name, line, contract = BREACHES[breach]
    file = tree / name
    before = file.read_text(encoding="utf-8") if file.exists() else None
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{before or ''}\n{line}\n", encoding="utf-8")
    try:
        done = lint_imports(tree)
    finally:
        if before is None:
            shutil.rmtree(file.parent)
        else:
            file.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout
    assert f"{contract} BROKEN" in done.stdout


def test_modules_of_tests_that_are_in_no_package_have_names_of_their_own() -> None:
    """pytest imports each as a module of that name alone, so that two of one name can't be collected together."""
    alone = [path.name for path in (ROOT / "tests").rglob("test_*.py") if not (path.parent / "__init__.py").exists()]
    assert len(alone) > 100
    assert [name for name, times in Counter(alone).items() if times > 1] == []
