"""Results of checks as one HTML page that needs nothing else, and runs no script.

What servers say is text of strangers: everything is escaped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from harness.checks import CHECKS
from harness.report.html_document import asset, document
from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.checks.check import CheckResult
    from harness.engines.protocol import Facts

SIGNS = {"held": "held", "broken": "broken", "not applicable": "·", "not known": "?"}


@dataclass(frozen=True, slots=True)
class Section:
    """One server's part of a page."""

    name: str
    about: str
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question that was put to a TCP port and to a Unix socket, and what was seen of either."""

    question: str
    tcp: str
    unix: str


def html_page(title: str, sections: Sequence[Section], facts: Facts, comparisons: Sequence[Comparison] = ()) -> str:
    """The whole document."""
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p>In places of the {_text(facts.engine)} engine, on {_text(facts.system)} {_text(facts.kernel)}.</p>",
        *_matrix(sections),
        *_comparisons(comparisons),
        *(line for section in sections for line in _section(section)),
    ]
    return document(title, asset("harness.report", "checks.css"), body)


def _matrix(sections: Sequence[Section]) -> Iterator[str]:
    made = {result.check for section in sections for result in section.results}
    names = [check.name for check in CHECKS if check.name in made]
    yield '<div class="scroll"><table><caption>What holds of which server</caption><thead><tr><td></td>'
    yield from (f'<th scope="col">{_text(name)}</th>' for name in names)
    yield "</tr></thead><tbody>"
    for section in sections:
        verdicts = {result.check: result.verdict for result in section.results}
        yield f'<tr><th scope="row"><a href="#{_text(section.name)}">{_text(section.name)}</a></th>'
        for name in names:
            verdict = verdicts.get(name)
            yield f'<td class="{_class(verdict)}">{SIGNS[verdict]}</td>' if verdict else "<td></td>"
        yield "</tr>"
    yield "</tbody></table></div>"


def _comparisons(comparisons: Sequence[Comparison]) -> Iterator[str]:
    if comparisons:
        yield '<div class="scroll"><table class="words"><caption>A TCP port and a Unix socket of one user in one place'
        yield '</caption><thead><tr><td></td><th scope="col">TCP port</th><th scope="col">Unix socket</th></tr></thead>'
        yield "<tbody>"
        for each in comparisons:
            cells = f"<td>{_text(each.tcp)}</td><td>{_text(each.unix)}</td>"
            yield f'<tr><th scope="row">{_text(each.question)}</th>{cells}</tr>'
        yield "</tbody></table></div>"


def _section(section: Section) -> Iterator[str]:
    statements = {check.name: check.holds for check in CHECKS}
    yield f'<section id="{_text(section.name)}"><h2>{_text(section.name)}</h2><p>{_text(section.about)}</p>'
    for result in section.results:
        opened = " open" if result.verdict == "broken" else ""
        evidence = json.dumps(result.evidence, indent=1, default=str)
        yield f'<details{opened}><summary><span class="{_class(result.verdict)}">{result.verdict}</span> '
        yield f"<code>{_text(result.check)}</code> {_text(result.why)}</summary>"
        yield f"<p>What must hold: {_text(statements[result.check])}</p>"
        yield f"<p>Again:</p><pre>{_text(result.reproduce)}</pre>"
        yield f"<p>What was seen:</p><pre>{escape(evidence)}</pre></details>"
    yield "</section>"


def _text(text: str) -> str:
    return escape(visible(text))


def _class(verdict: str | None) -> str:
    return (verdict or "").replace(" ", "-")
