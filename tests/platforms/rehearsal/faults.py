"""Faults made on purpose, in a copy of the tree: each must fail a test of a target, which passes without it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.platforms.rehearsal.run import Rehearsal

COPIED = (
    "observatory",
    "harness",
    "tests",
    "docs",
    "contrib",
    "pyproject.toml",
    "noxfile.py",
    "README.md",
    "locks",
    "containers",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """In a file, a text that becomes another one, and the test that must fail then."""

    name: str
    target: str
    file: str
    text: str
    instead: str
    test: str
    options: tuple[str, ...] = ()


FAULTS: tuple[Fault, ...] = ()


def all_caught(rehearsal: Rehearsal, root: Path, scratch: Path) -> bool:
    """Whether each fault of this target is caught, and nothing fails without it."""
    caught = True
    for number, fault in enumerate(FAULTS):
        if fault.target != rehearsal.target:
            continue
        copy = scratch / f"fault{number}"
        copy.mkdir()
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".cache"))
            else:
                shutil.copy2(source, copy)
        before = _status(rehearsal, fault, copy)
        path = copy / fault.file
        text = path.read_text()
        if text.count(fault.text) != 1:
            raise LookupError(f"{fault.file} has {fault.text!r} not once but {text.count(fault.text)} times")
        path.write_text(text.replace(fault.text, fault.instead))
        after = _status(rehearsal, fault, copy)
        found = (before, after) == (0, 1)
        print(
            f"   fault {fault.name}: " + ("caught" if found else f"status {before} without, {after} with it"),
            flush=True,
        )
        caught &= found
    return caught


def _status(rehearsal: Rehearsal, fault: Fault, copy: Path) -> int:
    options = ("-q", "--no-header", "--tb=no", "-n0", *fault.options, fault.test)
    return rehearsal.pytest(*options, directory=copy, more={"PYTHONPATH": str(copy)})
