"""Results of checks as Markdown, for the summary of a CI job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.checks.check import CheckResult, CheckVerdict

SHORT: dict[CheckVerdict, str] = {"held": "held", "broken": "**broken**", "not applicable": "n/a", "not known": "**?**"}


def markdown(name: str, results: Sequence[CheckResult]) -> str:
    """A table of all checks, and behind it how each fault is seen again and mended."""
    counts = Counter(result.verdict for result in results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in SHORT if counts[verdict])
    lines = [f"### {_cell(name)}: {said or 'no check was made'}", "", "| check | verdict | why |", "|---|---|---|"]
    for result in results:
        known = f" (known: {_cell(result.expected)})" if result.expected else ""
        lines.append(f"| {result.check} | {SHORT[result.verdict]}{known} | {_cell(result.why)} |")
    lines.append("")
    for result in results:
        if result.fails:
            lines += [f"**{result.check}** {_cell(result.mend)}", "", "```sh", visible(result.reproduce), "```", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return visible(text).replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
