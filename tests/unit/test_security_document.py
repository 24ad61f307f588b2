"""Each promise of docs/security.md is shown by a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def defined(path: str) -> set[str]:
    """The names of a test file's functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[^`]+\.py)::([^`]+)`", DOCUMENT)
    assert [f"{path}::{name}" for path, name in named if name not in defined(path)] == []


def test_every_threat_has_a_promise_and_a_test() -> None:
    rows = [line.split(" | ") for line in DOCUMENT.splitlines() if line.startswith("| ") and "| threat |" not in line]
    assert rows
    assert [row[0] for row in rows if len(row) != 4 or not row[1].strip() or "::test_" not in row[3]] == []
