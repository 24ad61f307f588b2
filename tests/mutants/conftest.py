"""A place into which the mutants have been brought, and the table of who was caught by what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.checks import CHECKS
from tests.helpers.places import place_fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


HERE = Path(__file__).parent
INSIDE = "/opt/mutants"
ROW = "mutants row"
CELLS = {"held": ".", "broken": "x", "not applicable": "-", "not known": "?"}


place = place_fixture(f"{HERE}:{INSIDE}/tests/mutants")


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Callable[[str, str, Mapping[str, str]], None]:
    """Keep a row of the table: a server, the check that is meant for it, each check's verdict."""

    def keep(server: str, meant: str, verdicts: Mapping[str, str]) -> None:
        record_property(ROW, json.dumps([server, meant, dict(verdicts)]))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table: one row for each server, one column for each check; `X` is the check that is meant for it."""
    rows = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            rows += [
                json.loads(str(row)) for name, row in report.user_properties if name == ROW and report.when == "call"
            ]
    if not rows:
        return
    names = [check.name for check in CHECKS]
    width = max(len(server) for server, _, _ in rows)
    terminalreporter.write_sep("-", "mutants and the checks that catch them")
    for line in range(max(map(len, names))):
        letters = " ".join(name[line] if line < len(name) else " " for name in names)
        terminalreporter.write_line(f"{'':{width}}  {letters}")
    for server, meant, verdicts in sorted(rows, key=lambda row: (names.index(row[1]) if row[1] else -1, row[0])):
        cells = ["?" if name not in verdicts else CELLS[verdicts[name]] for name in names]
        marked = [cell.upper() if name == meant else cell for name, cell in zip(names, cells, strict=True)]
        terminalreporter.write_line(f"{server:{width}}  {' '.join(marked)}")
    broken = [verdicts for _, meant, verdicts in rows if meant]
    caught = sum(1 for _, meant, verdicts in rows if meant and verdicts[meant] == "broken")
    alarms = sum("broken" in verdicts.values() for _, meant, verdicts in rows if not meant)
    terminalreporter.write_line(
        f"X caught by the check that is meant for it, x by another, . held, - not applicable: {caught} of "
        f"{len(broken)} mutants caught, {alarms} false alarms in {len(rows) - len(broken)} runs of the unbroken server"
    )
