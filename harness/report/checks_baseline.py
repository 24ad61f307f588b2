"""What an earlier run found broken (`harness check --json`), and which of a new run's faults are no news."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.report.output_file import OutputError
from harness.report.same_fault import faults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.checks.check import CheckResult

KNOWN = "it was broken in the same way in the baseline"


def load(file: Path) -> dict[str, set[str]]:
    """The faults of an earlier run: by check, each part of what was said of it. Raises OutputError."""
    known: dict[str, set[str]] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"the baseline {file} can't be read: {error}") from None
    for number, line in enumerate(lines, 1):
        try:
            result = json.loads(line)
            if result["verdict"] == "broken":
                evidence = result.get("evidence", {})
                known.setdefault(str(result["check"]), set()).update(faults(str(result["why"]), dict(evidence)))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OutputError(
                f"line {number} of the baseline {file} is not a result of a check: write it by harness check --json"
            ) from None
    return known


def mark(result: CheckResult, expected: Mapping[str, str], baseline: Mapping[str, set[str]]) -> CheckResult:
    """The result, with the reason for which it is no news, if there is one."""
    if result.verdict != "broken":
        return result
    if result.check in expected:
        return replace(result, expected=expected[result.check])
    known = result.check in baseline and faults(result.why, result.evidence) <= baseline[result.check]
    return replace(result, expected=KNOWN) if known else result
