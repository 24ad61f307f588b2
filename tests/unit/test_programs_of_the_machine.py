"""What `nox -s machine` installs is what the tests look for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.explain.cases import CASES
from tests.integration.explain.programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OF_EVERY_DEBIAN = {"bash", "dash", "e2fsprogs", "nodejs", "util-linux"}
"""Essential packages and, for npm's sake, node."""


def installed() -> dict[str, list[str]]:
    """PROGRAMS of noxfile.py, which can't be imported where there is no nox."""
    for node in ast.parse((ROOT / "noxfile.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROGRAMS":
            found: dict[str, list[str]] = ast.literal_eval(node.value)
            return found
    raise AssertionError("noxfile.py has no PROGRAMS")


def needed() -> Iterator[tuple[str, str]]:
    """Each program that a test calls `need` for, with its package."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if "need(" in text else ():
            match node:
                case ast.Call(
                    func=ast.Name(id="need"), args=[ast.Constant(value=str(program)), ast.Constant(value=str(package))]
                ):
                    yield program, package
    yield from ((program.name, program.package) for program in PROGRAMS)
    yield from ((program, program) for case in CASES for program in case.needs)


def test_a_machine_gets_every_program_that_a_test_needs() -> None:
    there = {package for packages in installed().values() for package in packages} | OF_EVERY_DEBIAN
    wanted = set(needed())
    assert len(wanted) > 30
    assert {(program, package) for program, package in wanted if package not in there} == set()
