"""A run as one HTML page that needs nothing else: no network, no other file, no server.

Every name in it may be hostile: text is escaped, and the data for the script is JSON without `<`, `>` and `&`.
"""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from harness.report.drawing import acl_entry, group_of, mode_string, operation_and_path, owner_of
from harness.report.html_document import asset, document
from harness.report.matrix import deciding_sysctls, matrix_of
from harness.report.text import visible
from harness.report.trail import Trails

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.report.matrix import Matrix
    from harness.report.trail import Step
    from harness.trials.run import Run
    from harness.trials.verdict import Verdict
    from harness.world import World


def html_page(run: Run) -> str:
    """The whole document."""
    matrix = matrix_of(run.verdicts)
    body = [
        *_header(run),
        "<main>",
        *_filters(run),
        *_table(matrix, run.verdicts),
        "</main>",
        *_dialog(),
        f'<script type="application/json" id="data">{_embedded(_data(run))}</script>',
    ]
    style, script = (asset("harness.report", name) for name in ("run.css", "run.js"))
    return document(f"{run.world.name}: who may do what", style, body, script)


def _embedded(data: object) -> str:
    """JSON that can't end the element it stands in."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _header(run: Run) -> Iterator[str]:
    unexpected = sum(verdict.unexpected for verdict in run.verdicts)
    disagreements = sum(not verdict.agree for verdict in run.verdicts) - unexpected
    failing = [f"{disagreements} disagree"] if disagreements else []
    failing += [f"{unexpected} not as the world expects"] if unexpected else []
    refused = sum(verdict.observation.outcome != "ok" for verdict in run.verdicts)
    yield "<header>"
    yield f"<h1>{escape(visible(run.world.name))}</h1>"
    if run.world.about:
        yield f'<p class="about">{escape(visible(run.world.about))}</p>'
    if run.story is not None:
        yield '<dl class="story">'
        for term, text in (
            ("Symptom", run.story.symptom),
            ("Cause", run.story.cause),
            ("Remedy", run.story.remedy),
        ):
            yield f"<div><dt>{term}</dt><dd>{escape(visible(text))}</dd></div>"
        yield "</dl>"
    yield '<ul class="facts" aria-label="The run">'
    yield f'<li class="{"bad" if failing else "good"}"><b>{", ".join(failing) or "all agree"}</b></li>'
    yield f"<li><b>{len(run.verdicts)}</b> attempts</li>"
    yield f"<li><b>{refused}</b> refused</li>"
    for label, value in (("engine", run.facts.engine), ("kernel", run.facts.kernel)):
        yield f"<li>{label} <b>{escape(visible(value))}</b></li>"
    for name, number in deciding_sysctls(run.facts):
        yield f"<li>{escape(visible(name))} <b>{number}</b></li>"
    yield "</ul>"
    for notice in run.notices:
        yield f'<p class="notice">{escape(visible(notice))}</p>'
    yield f'<p class="again">Run it again: <code tabindex="0">{escape(visible(run.reproduce))}</code></p>'
    yield "</header>"


def _filters(run: Run) -> Iterator[str]:
    counts = {
        "all": len(run.verdicts),
        "refused": sum(verdict.observation.outcome != "ok" for verdict in run.verdicts),
        "disagree": sum(not verdict.agree for verdict in run.verdicts),
    }
    yield '<fieldset class="filters"><legend>Show</legend>'
    for value, label in (("all", "everything"), ("refused", "refusals"), ("disagree", "disagreements")):
        checked = " checked" if value == "all" else ""
        yield (
            f'<label><input type="radio" name="show" value="{value}"{checked}> {label} '
            f"<span>{counts[value]}</span></label>"
        )
    yield "</fieldset>"


def _table(matrix: Matrix, verdicts: Sequence[Verdict]) -> Iterator[str]:
    if not verdicts:
        yield "<p>This world makes no attempts.</p>"
        return
    kinds = ("user", "path") if matrix.corner == "user" else ("path", "user")
    yield '<p class="hint" id="hint">Arrow keys move, Enter opens a cell, Escape closes it.</p>'
    yield (
        '<div class="scroll" tabindex="-1"><table role="grid" aria-describedby="hint" '
        'aria-label="Attempts by user and path">'
    )
    yield f'<thead><tr role="row"><th scope="col" role="columnheader">{matrix.corner}</th>'
    for column in matrix.columns:
        yield f'<th scope="col" role="columnheader" class="{kinds[1]}">{_breakable(column)}</th>'
    yield "</tr></thead><tbody>"
    first = True
    for row in matrix.rows:
        yield f'<tr role="row"><th scope="row" role="rowheader" class="{kinds[0]}">{_breakable(row)}</th>'
        for column in matrix.columns:
            indices = matrix.cells.get((row, column), ())
            if not indices:
                yield '<td role="gridcell" class="none"><span class="hidden">not tried</span></td>'
                continue
            yield f'<td role="gridcell">{_button(row, column, indices, verdicts, reachable=first)}</td>'
            first = False
        yield "</tr>"
    yield "</tbody></table></div>"


def _breakable(label: str) -> str:
    return escape(label).replace("/", "/<wbr>")


def _button(row: str, column: str, indices: Sequence[int], verdicts: Sequence[Verdict], *, reachable: bool) -> str:
    outcomes = [verdicts[index].observation.outcome for index in indices]
    agree = all(verdicts[index].agree for index in indices)
    refused = any(outcome != "ok" for outcome in outcomes)
    kind = "disagree" if not agree else "refused" if refused else "allowed"
    mark = {"disagree": "\u2260", "refused": "\u2715", "allowed": "\u2713"}[kind]
    text = ", ".join(outcomes)
    unexpected = all(verdicts[index].agree or verdicts[index].unexpected for index in indices)
    told = "agree" if agree else "not as the world expects" if unexpected else "disagree"
    label = f"{row}, {column}: {text}, {told}"
    return (
        f'<button type="button" class="{kind}" data-verdicts="{",".join(map(str, indices))}" '
        f'aria-haspopup="dialog" tabindex="{0 if reachable else -1}" aria-label="{escape(label)}">'
        f'<span aria-hidden="true">{mark}</span> {escape(text)}</button>'
    )


def _dialog() -> Iterator[str]:
    yield '<dialog id="cell" aria-labelledby="cell-title">'
    yield '<form method="dialog"><h2 id="cell-title"></h2>'
    yield '<button class="close" aria-label="Close">\u2715</button></form>'
    yield '<div id="cell-body"></div>'
    yield "</dialog>"


def _data(run: Run) -> dict[str, object]:
    """What the script shows when a cell is opened. A path's steps are stored once for all who try it."""
    trails = Trails(run.world)
    drawn: dict[int, int] = {}
    steps: list[tuple[Step, ...]] = []
    verdicts: list[dict[str, object]] = []
    for verdict in run.verdicts:
        trail = trails.deciding(verdict.attempt, verdict.decision.at)
        if id(trail) not in drawn:  # a trail that is asked for again is the same object
            drawn[id(trail)] = len(steps)
            steps.append(trail)
        verdicts.append(_verdict(verdict, trail, drawn[id(trail)]))
    return {
        "reproduce": visible(run.reproduce),
        "trails": [[_step(run.world, step) for step in trail] for trail in steps],
        "verdicts": verdicts,
    }


def _verdict(verdict: Verdict, trail: tuple[Step, ...], number: int) -> dict[str, object]:
    attempt, decision, observation = verdict.attempt, verdict.decision, verdict.observation
    seen = observation.credentials
    return {
        "title": f"{visible(attempt.user)} {operation_and_path(attempt)}",
        "trail": number,
        "outcome": observation.outcome,
        "observedAt": None if observation.at is None else visible(observation.at),
        "oracle": decision.outcome,
        "at": max((index for index, step in enumerate(trail) if step.path == decision.at), default=None),
        "atPath": visible(decision.at),
        "why": visible(decision.why),
        "because": visible(decision.because),
        "class": decision.applied,
        "needs": decision.needs,
        "has": decision.has.strip("-"),
        "changes": [{"text": visible(change.text), "widens": change.widens} for change in decision.changes],
        "expect": attempt.expect,
        "unexpected": verdict.unexpected,
        "differences": [visible(difference) for difference in verdict.differences],
        "credentials": None
        if seen is None
        else {"pid": seen.pid, "uid": seen.uid, "gid": seen.gid, "groups": seen.groups},
    }


def _step(world: World, step: Step) -> dict[str, object]:
    node = step.node
    if node is None:
        return {"name": visible(step.name), "level": step.level, "mode": None}
    notes: list[str] = []
    if node.kind == "symlink":
        notes.append(f"\u2192 {visible(node.target or '')}")
    elif node.kind == "mount":
        notes.append(visible(" ".join([node.fs or "", *node.options, "mounted here"])))
    elif node.kind == "socket":
        notes += [word for word in (node.type, node.state) if word not in {"stream", "listening"}]
    return {
        "name": visible(step.name),
        "level": step.level,
        "mode": mode_string(node),
        "owner": owner_of(world, node),
        "group": group_of(world, node),
        "acl": [acl_entry(entry) for entry in node.acl],
        "notes": notes,
    }
