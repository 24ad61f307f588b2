"""The survey of servers in the field says what was seen twice, and its second look shares no code with the checks."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from harness.checks import CHECKS
from harness.engines.protocol import Facts
from harness.showcase import field
from harness.subjects.description import load

ROOT = Path(__file__).parents[4]
FACTS = Facts("namespace", "6.18", "x86_64", "3.11")


def row(**checks: tuple[str, str]) -> dict[str, Any]:
    """A server of which each check and its second look said these verdicts."""
    return {
        "name": "served",
        "about": "a server | of a test",
        "why": "",
        "seconds": 7.0,
        "load": 1.4,
        "checks": {
            name.replace("_", "-"): {
                "verdict": verdict,
                "why": f"{name} <seen>",
                "seconds": 2.0,
                "again": {"verdict": second, "seen": "seen again"},
            }
            for name, (verdict, second) in checks.items()
        },
    }


def test_each_verdict_has_a_mark_of_its_second_look() -> None:
    text = field.markdown(
        [row(mode=("held", "held"), flood=("broken", "broken"), lifetime=("held", "broken"), identity=("held", ""))],
        FACTS,
    )
    (line,) = [line for line in text.splitlines() if line.startswith("| served |")]
    cells = dict(zip([check.name for check in CHECKS], [cell.strip() for cell in line.split("|")[2:-2]], strict=True))
    assert cells["mode"] == "held ✓"
    assert cells["flood"] == "**broken** ✓"
    assert cells["lifetime"] == "held ≠"
    assert cells["identity"] == "held"
    assert cells["umask"] == ""
    assert line.endswith("| 7 (2) @1 |")
    assert "- **flood**: flood &lt;seen> Looked at again: seen again." in text
    assert "- served, lifetime: held (lifetime &lt;seen>); the second look: broken (seen again)" in text


def test_what_could_not_be_checked_is_named() -> None:
    assert "- served: it needs a network" in field.markdown([{**row(), "why": "it needs a network"}], FACTS)


def test_the_second_look_imports_nothing_of_the_harness() -> None:
    for file in (ROOT / "harness" / "showcase" / "second_look").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
                assert (node.module or "").rpartition(".")[0] == "harness.showcase.second_look"
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("harness") for name in node.names)


def test_in_the_document_no_second_look_saw_anything_else() -> None:
    text = (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
    assert " ✓ |" in text
    assert " ≠ |" not in text


def test_every_server_is_in_the_table_seen_twice_and_within_its_time() -> None:
    text = (ROOT / "docs" / "field.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(): line.split("|")[-2].strip() for line in text.splitlines() if line.startswith("| ")
    }
    del rows["server"]
    assert set(rows) == {load(file).subject.name for file in field.SUBJECTS.glob("*.toml")}
    assert len(rows) >= 30
    assert "≠ |" not in text
    assert "## What could not be checked" not in text
    times = {name: [int(part) for part in re.findall(r"\d+", said)] for name, said in rows.items()}
    # Where more processes want the processors than there are, nobody's seconds are the server's.
    late = {name: said for name, said in times.items() if said[2] <= 1 and (said[0] > 30 or said[1] > 10)}
    assert late == {}
