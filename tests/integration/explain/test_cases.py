"""Reported situations, rebuilt on this machine: the kernel's answer beside ours, the first fix applied and tried."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.explain.cases import CASES, Case
from tests.integration.explain.stage import staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.explain.stage import Stage

DOCUMENT = Path(__file__).parents[3] / "docs" / "explain-cases.md"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)


def printed(output: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in output.splitlines() if "=" in line)


def filled(text: str, values: Mapping[str, str]) -> str:
    """A case's text with what its setup printed; other braces stay."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def kernel(stage: Stage, being: str, operation: str, path: str) -> str:
    """What the kernel says to somebody."""
    return stage.run(f'{being} "$PYTHON" -ISc "$ATTEMPT" {operation} "{path}" stream').strip()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_what_is_said_is_what_the_kernel_does_and_the_first_fix_helps(
    case: Case, need: Callable[[str, str], str]
) -> None:
    for program in case.needs:
        need(program, program)
    if case.needs and not Path("/dev/fuse").exists():
        pytest.skip("this machine has no /dev/fuse")
    with staged() as stage:
        values = printed(stage.run(case.setup))
        path, being = filled(case.path, values), filled(case.being, values)
        said = stage.explain(path, *(filled(word, values) for word in case.who), "--operation", case.operation)
        assert said.stderr == ""
        answer = re.search(r": (ok|not known.*|E[A-Z]+ at .*)$", said.stdout.splitlines()[0])
        assert answer is not None, said.stdout
        assert answer[1] == filled(case.answer, values), said.stdout
        assert said.returncode == (0 if answer[1] == "ok" else 1)
        assert filled(case.note, values) in said.stdout
        fixes = re.findall(r"^  fix    (.*)$", said.stdout, re.MULTILINE)
        assert fixes == ([filled(case.fix, values)] if case.fix else []), said.stdout
        assert len(set(said.stdout.splitlines())) == len(said.stdout.splitlines())
        assert kernel(stage, being, case.operation, path) == case.kernel
        if fixes:
            command = filled(case.cure, values) or fixes[0].partition("  (lets in ")[0]
            stage.run(command)
            after = kernel(stage, filled(case.then, values) or being, case.operation, case.there or path)
            assert after == case.after, command


def rows() -> list[str]:
    """The document's table as the cases have it."""
    lines = []
    for case in CASES:
        link = f"[{case.situation}]({case.source})" if case.source.startswith("https:") else case.situation
        tried = f"`{case.fix}`: {case.after}" if case.fix else "none"
        lines.append(f"| {link} | {case.kernel} | {case.answer} | {tried} |")
    return lines


def test_the_document_has_every_case_as_it_was_seen() -> None:
    _, _, table = DOCUMENT.read_text(encoding="utf-8").partition("|---|---|---|---|\n")
    assert table.splitlines() == rows()


def test_no_case_is_said_to_be_ok_that_the_kernel_refuses() -> None:
    assert all(case.kernel == "ok" for case in CASES if case.answer == "ok")


@pytest.mark.skipif(shutil.which("nsenter") is None, reason="needs nsenter: install Debian's util-linux")
def test_the_stage_leaves_nothing_behind() -> None:
    with staged() as stage:
        stage.run("serve -- /run/s.sock; touch /srv/file")
        temporary = stage.temporary
        assert stage.run("ls /srv") == "file\n"
    assert not temporary.exists()
    assert not Path("/srv/file").exists()
