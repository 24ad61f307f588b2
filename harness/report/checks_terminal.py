"""Results of checks on a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.checks.check import CheckResult, CheckVerdict
    from harness.engines.protocol import Facts

STYLES: dict[CheckVerdict, str] = {
    "held": "green",
    "broken": "bold red",
    "not applicable": "dim",
    "not known": "yellow",
}
SHORT = {"held": "held", "broken": "BROKEN", "not applicable": "n/a", "not known": "?"}
INDENT = 27


def print_result(result: CheckResult, stream: TextIO) -> None:
    """Print one result: the verdict, the check, why, and for a broken one how to see it again."""
    console = _console(stream)
    console.print(
        Text.assemble((f"{SHORT[result.verdict]:8}", STYLES[result.verdict]), (f"{result.check:18} ", "bold"))
        + Text(visible(result.why), style="dim" if result.verdict == "not applicable" else ""),
        soft_wrap=True,
    )
    if result.verdict in ("broken", "not known"):
        console.print(Text(f"{'':{INDENT}}again: {result.reproduce}", style="dim"), soft_wrap=True)


def print_summary(results: Sequence[CheckResult], facts: Facts, stream: TextIO) -> None:
    """Print how many there are of each verdict, and where they come from."""
    counts = Counter(result.verdict for result in results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in STYLES if counts[verdict])
    _console(stream).print(f"{said or 'no check was made'} ({facts.engine}, Linux {facts.kernel})", soft_wrap=True)


def _console(stream: TextIO) -> Console:
    return Console(file=stream, highlight=False, emoji=False)
