"""Code that runs in a place: any Python from 3.9 on compiles it, and it imports nothing of the rest of the harness."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from harness.inside import loader

INSIDE = Path(loader.__file__).parent
MODULES = sorted(INSIDE.rglob("*.py"))
OF_OTHERS = {"servers/aiohttp_site.py": {"aiohttp"}}
"""Servers are examples of other people's libraries."""


def name(module: Path) -> str:
    return str(module.relative_to(INSIDE))


def imported(tree: ast.Module) -> set[str]:
    """Every module that a text imports anywhere, for types as well."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_python_3_9_knows_its_grammar(module: Path) -> None:
    assert ast.parse(module.read_text(encoding="utf-8"), feature_version=(3, 9)).body


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_it_imports_the_standard_library_and_its_like_only(module: Path) -> None:
    names = imported(ast.parse(module.read_text(encoding="utf-8")))
    outside = {each for each in names if each.partition(".")[0] not in sys.stdlib_module_names}
    ours = {each for each in outside if f"{each}.".startswith("harness.inside.")}
    assert outside - ours == OF_OTHERS.get(name(module), set())


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_its_annotations_are_not_evaluated(module: Path) -> None:
    """`X | None` between types is an error before Python 3.10."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    annotated = any(isinstance(node, ast.AnnAssign | ast.arg) for node in ast.walk(tree))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert not annotated or [alias.name for line in lines for alias in line.names] == ["annotations"]
