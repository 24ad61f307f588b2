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


class Progress:
    """One line that says what is being done, where somebody looks on; it goes before anything else is printed."""

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream if stream.isatty() else None
        self._total = total
        self._begun = 0

    def begin(self, name: str) -> None:
        """Say what comes."""
        if self._stream is not None:
            self._begun += 1
            self._stream.write(f"\r\x1b[K{self._begun - 1} of {self._total}: {name} ...")
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._stream is not None:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def print_result(result: CheckResult, stream: TextIO) -> None:
    """Print one result: the verdict, the check, why, and for a broken one how to mend it and how to see it again."""
    console = _console(stream)
    short, style = ("known", "dim") if result.expected else (SHORT[result.verdict], STYLES[result.verdict])
    console.print(
        Text.assemble((f"{short:8}", style), (f"{result.check:18} ", "bold"))
        + Text(visible(result.why), style="dim" if result.verdict == "not applicable" else ""),
        soft_wrap=True,
    )
    if result.expected:
        console.print(Text(f"{'':{INDENT}}known: {visible(result.expected)}", style="dim"), soft_wrap=True)
    elif result.fails:
        if result.mend:
            console.print(Text(f"{'':{INDENT}}mend:  {result.mend}", style="dim"), soft_wrap=True)
        console.print(Text(f"{'':{INDENT}}again: {visible(result.reproduce)}", style="dim"), soft_wrap=True)


def print_summary(results: Sequence[CheckResult], facts: Facts, took: float, stream: TextIO) -> None:
    """Print how many there are of each verdict, where they come from and how many seconds all of it took."""
    counts = Counter("known" if result.expected else result.verdict for result in results)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in (*STYLES, "known") if counts[verdict])
    _console(stream).print(
        f"{said or 'no check was made'} ({facts.engine}, {facts.system} {facts.kernel}, {took:.0f} s)", soft_wrap=True
    )


def _console(stream: TextIO) -> Console:
    return Console(file=stream, highlight=False, emoji=False)
