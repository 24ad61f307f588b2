"""Verdicts on a terminal: a matrix of users and paths, and under it each refusal with its path drawn."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.report.drawing import explanation, operation_and_path
from harness.report.matrix import Matrix, deciding_sysctls, matrix_of
from harness.report.text import Line, plain, visible
from harness.report.trail import Trails

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.trials.run import Run
    from harness.trials.verdict import Verdict
    from harness.world import World

CELLS = 400
"""A matrix of more cells is not drawn on a terminal; nobody would read it there."""

REFUSALS = 12
"""At most so many refusals are explained one by one; each differs in its path, component or reason."""

_RICH = {
    "plain": "",
    "dim": "dim",
    "strong": "bold",
    "refused": "bold red",
    "allowed": "green",
    "warning": "yellow",
}


def explain_refusal(world: World, verdict: Verdict, reproduce: str) -> str:
    """One verdict as plain text: who tried what, the path with its modes, where and why it was refused.

    `reproduce` is the command that does it again. The text ends with a newline.
    """
    return plain(explanation(world, Trails(world), [verdict], reproduce))


def print_run(run: Run, stream: TextIO, *, colour: bool | None = None, width: int | None = None) -> None:
    """Print a whole run. `colour` and `width` are found out from the stream where they are `None`."""
    console = Console(
        file=stream,
        force_terminal=colour,
        no_color=colour is False,
        width=width,
        highlight=False,
        emoji=False,
    )
    matrix = matrix_of(run.verdicts)
    console.print(Text(visible(run.world.name), style="bold"), soft_wrap=True)
    if run.world.about:
        console.print(Text(visible(run.world.about), style="dim"))
    if run.story is not None:
        story = Table.grid(padding=(0, 2, 0, 0))
        for term, text in (("symptom", run.story.symptom), ("cause", run.story.cause), ("remedy", run.story.remedy)):
            story.add_row(Text(term, style="dim"), Text(visible(text)))
        console.print(Padding(story, (0, 0, 1, 2)))
    if run.verdicts and len(run.verdicts) <= CELLS:
        for part in _tables(matrix, run.verdicts, console.width):
            console.print(part)
    elif run.verdicts:
        console.print(f"{len(run.verdicts)} attempts are too many to draw here: --html FILE draws them all.")
    trails = Trails(run.world)
    refusals = _distinct_refusals(run.verdicts)
    for alike in refusals[:REFUSALS]:
        console.print()
        _print_lines(console, explanation(run.world, trails, alike, run.reproduce))
    if len(refusals) > REFUSALS:
        console.print(f"\n{len(refusals) - REFUSALS} more refusals of other kinds: --html FILE explains them all.")
    console.print()
    for notice in run.notices:
        console.print(Text(f"note: {visible(notice)}", style="yellow"), soft_wrap=True)
    console.print(_summary(run), soft_wrap=True)


def _print_lines(console: Console, lines: Iterable[Line]) -> None:
    for line in lines:
        console.print(Text.assemble(*((span.text, _RICH[span.style]) for span in line)), soft_wrap=True)


def _distinct_refusals(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """What is worth a drawing: refusals and disagreements, disagreements first, those alike together."""
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        attempt, decision = verdict.attempt, verdict.decision
        if verdict.agree and verdict.observation.outcome == "ok":
            continue
        alike = (
            operation_and_path(attempt),
            decision.outcome,
            decision.at,
            decision.applied,
            verdict.observation.outcome,
            verdict.agree,
            verdict.unexpected,
        )
        groups.setdefault(alike, []).append(verdict)
    return sorted(groups.values(), key=lambda alike: alike[0].agree)


def _tables(matrix: Matrix, verdicts: Sequence[Verdict], width: int) -> Iterable[Table]:
    """The matrix in as many tables as the width asks for."""
    rows, columns = matrix.rows, matrix.columns
    label = min(max(len(row) for row in rows), max(20, width // 2))
    room = max(1, (width - label - 3) // (max(8, *map(len, columns)) + 3)) if columns else 1
    for start in range(0, len(columns), room):
        part = columns[start : start + room]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column(Text(matrix.corner, style="dim"), overflow="fold", max_width=label)
        for column in part:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(Text(row), *(_cell(verdicts, matrix.cells.get((row, column), ())) for column in part))
        yield table


def _cell(verdicts: Sequence[Verdict], indices: Sequence[int]) -> Text:
    if not indices:
        return Text("·", style="dim")
    parts: list[tuple[str, str] | str] = []
    for index in indices:
        verdict = verdicts[index]
        outcome = verdict.observation.outcome
        if parts:
            parts.append(" ")
        if verdict.unexpected:
            parts.append((f"unexpected: {outcome}", "bold yellow reverse"))
        elif not verdict.agree:
            parts.append((f"!= {outcome}", "bold yellow reverse"))
        else:
            parts.append((outcome, "green" if outcome == "ok" else "red"))
    return Text.assemble(*parts)


def _summary(run: Run) -> Text:
    refused = sum(verdict.observation.outcome != "ok" for verdict in run.verdicts)
    sysctls = "".join(f", {name}={value}" for name, value in deciding_sysctls(run.facts))
    attempts = f"{len(run.verdicts)} attempt" + ("s" if len(run.verdicts) != 1 else "")
    head = f"{attempts}, {refused} refused, "
    verdict = ("all agree", "bold green") if run.agree else (", ".join(_what_fails(run)), "bold red")
    return Text.assemble(
        head, verdict, (f"  engine {run.facts.engine}, {run.facts.system} {run.facts.kernel}{sysctls}", "dim")
    )


def _what_fails(run: Run) -> Iterable[str]:
    """How many attempts the oracle and the kernel part on, and how many did not end as the world says."""
    unexpected = sum(verdict.unexpected for verdict in run.verdicts)
    disagreements = sum(not verdict.agree for verdict in run.verdicts) - unexpected
    if disagreements:
        yield f"{disagreements} DISAGREE"
    if unexpected:
        yield f"{unexpected} not as the world expects"


def text_of_run(run: Run, width: int = 110) -> str:
    """A whole run as plain text, `width` columns wide."""
    stream = io.StringIO()
    print_run(run, stream, colour=False, width=width)
    return stream.getvalue()
