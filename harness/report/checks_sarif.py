"""Results of checks as SARIF 2.1.0, which code hosts show beside the code."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harness.checks import CHECKS
from harness.checks.mending import advice
from harness.report.same_fault import without_what_differs
from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.checks.check import CheckResult

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"broken": "error", "not known": "warning"}


def sarif(name: str, location: str, results: Sequence[CheckResult]) -> str:
    """The whole document. `location` is the file to which results belong: the subject file, or what stands for it."""
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "harness check",
                "version": _version(),
                "rules": [_rule(each.name, each.holds) for each in CHECKS],
            }
        },
        "results": [_result(name, location, result) for result in results if result.verdict in LEVELS],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(name: str, holds: str) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": holds},
        "help": {"text": advice(name, "") or holds},
        "defaultConfiguration": {"level": "error"},
    }


def _result(name: str, location: str, result: CheckResult) -> dict[str, Any]:
    text = f"{visible(name)}: {visible(result.why)}"
    if result.mend:
        text += f"\n{result.mend}"
    same = without_what_differs(result.why) if result.verdict == "broken" else result.verdict
    uri = quote(os.fsencode(location))
    found: dict[str, Any] = {
        "ruleId": result.check,
        "level": LEVELS[result.verdict],
        "message": {"text": f"{text}\nAgain: {visible(result.reproduce)}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"fault/v1": f"{name}/{result.check}/{same}"},
    }
    if result.expected:
        found["suppressions"] = [{"kind": "external", "justification": visible(result.expected)}]
    return found


def _version() -> str:
    try:
        return version("claude-observatory")
    except PackageNotFoundError:
        return "0"
