"""Which names a system's CPython lacks, by the conditions in typeshed's stubs (which come with mypy)."""

from __future__ import annotations

import ast
import functools
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Version = tuple[int, int]

UNWRITTEN = ("_typeshed", "sys/_monitoring")
"""Stubs of no module, or of one that differs on no system."""


def lacking(platform: str, version: Version | None = None) -> dict[str, list[str]]:
    """For each module of the standard library, what Linux's has and this system's has not.

    `platform` is as `sys.platform` has it. A class's member is named `Class.member`. A module that is wholly absent has
    the one name `*`.
    """
    at = version or (sys.version_info.major, sys.version_info.minor)
    found: dict[str, list[str]] = {}
    for name, path in sorted(_stubs()):
        here, there = _names(path, "linux", at), _names(path, platform, at)
        if here - there:
            public = {each for each in there if not each.startswith("_") and each not in _imported(path)}
            found[name] = sorted(here - there) if public else ["*"]
    return found


def _stubs() -> Iterable[tuple[str, Path]]:
    spec = find_spec("mypy")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent / "typeshed" / "stdlib"
    for path in root.rglob("*.pyi"):
        name = str(path.relative_to(root).with_suffix("")).removesuffix("/__init__").replace("/", ".")
        if not name.startswith(UNWRITTEN):
            yield name, path


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@functools.cache
def _imported(path: Path) -> frozenset[str]:
    """What a stub imports for its own annotations (`import x`, `from x import y` without `as y`)."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.name.split(".")[0] for each in node.names if each.asname is None}
    return frozenset(found)


def _names(path: Path, platform: str, version: Version) -> set[str]:
    return _defined(_tree(path).body, platform, version)


def _defined(body: Iterable[ast.stmt], platform: str, version: Version) -> set[str]:
    """What these statements define on that system."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.If):
            branch = node.body if holds(node.test, platform, version) else node.orelse
            found |= _defined(branch, platform, version)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
            found |= {f"{node.name}.{each}" for each in _defined(node.body, platform, version)}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            found |= {each.name for each in node.names if each.asname == each.name}
    return found


def holds(test: ast.expr, platform: str, version: Version) -> bool:
    """Whether a condition of a stub holds on that system and version. Raises ValueError for one that is not known."""
    if isinstance(test, ast.BoolOp):
        values = [holds(each, platform, version) for each in test.values]
        return all(values) if isinstance(test.op, ast.And) else any(values)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return not holds(test.operand, platform, version)
    if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
        return False
    if isinstance(test, ast.Call) and ast.unparse(test.func) == "sys.platform.startswith":
        return platform.startswith(ast.literal_eval(test.args[0]))
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        subject, operator, value = ast.unparse(test.left), test.ops[0], ast.literal_eval(test.comparators[0])
        if subject == "sys.platform":
            return (platform == value) is isinstance(operator, ast.Eq)
        if subject == "sys.version_info" and isinstance(operator, ast.GtE | ast.Lt):
            return (version >= value[:2]) is isinstance(operator, ast.GtE)
    raise ValueError(f"a condition of typeshed that is not known here: {ast.unparse(test)}")
