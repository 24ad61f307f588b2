"""Parts that were put together, as lines for a terminal, as JUnit XML, and as one HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.report.html_document import asset, document
from harness.report.junit import xml_text
from harness.report.text import visible
from harness.trials.merging import UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.trials.merging import Part

HEADINGS = ("whole", "part", "tried", "failed", "skipped", "seconds", "file")


def rows(parts: Sequence[Part]) -> Iterator[tuple[str, ...]]:
    """The cells under `HEADINGS`, a row for each part."""
    for part in parts:
        tried = f"{part.tried:,} {UNIT[part.kind]}"
        numbers = (tried, f"{part.failed:,}", f"{part.skipped:,}", f"{part.seconds:.1f}")
        yield (visible(part.whole), str(part.shard), *numbers, visible(part.file))


def sentence(parts: Sequence[Part]) -> str:
    """All of it in one line."""
    totals = [
        f"{sum(part.tried for part in parts if part.kind == kind):,} {unit}"
        for kind, unit in UNIT.items()
        if any(part.kind == kind for part in parts)
    ]
    failed, skipped = (sum(getattr(part, name) for part in parts) for name in ("failed", "skipped"))
    return f"{' and '.join(totals)} in {len(parts)} parts: {failed:,} failed, {skipped:,} skipped"


def text(parts: Sequence[Part]) -> str:
    """For a terminal: a table, every failure, and the sentence last."""
    table = [HEADINGS, *rows(parts)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    for part in parts:
        for failure in part.failures:
            lines += ["", f"{visible(failure.title)}  ({visible(part.whole)}, part {part.shard})"]
            lines += [f"  {visible(line)}".rstrip() for line in failure.text.splitlines()]
    return "\n".join([*lines, "", sentence(parts), ""])


def junit(parts: Sequence[Part]) -> str:
    """A test suite for each part; a test case for each failure, and one that stands for all that went well."""
    suites = ElementTree.Element("testsuites", {"name": "harness merge"})
    for part in parts:
        name = xml_text(f"{part.whole} {part.shard}")
        counts = {"tests": str(part.tried + part.skipped), "failures": str(part.failed), "skipped": str(part.skipped)}
        attributes = {"name": name, **counts, "errors": "0", "time": str(part.seconds)}
        suite = ElementTree.SubElement(suites, "testsuite", attributes)
        passed = part.tried - part.failed
        ElementTree.SubElement(suite, "testcase", {"classname": name, "name": f"{passed} {UNIT[part.kind]} went well"})
        for failure in part.failures:
            case = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": xml_text(failure.title)})
            ElementTree.SubElement(case, "failure", {"message": xml_text(failure.title)}).text = xml_text(failure.text)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode") + "\n"


def html_page(parts: Sequence[Part]) -> str:
    """One page that needs nothing else, and runs no script."""
    title = "harness merge"
    body = [f"<h1>{title}</h1>", f"<p>{escape(sentence(parts))}.</p>"]
    body.append('<div class="scroll"><table class="words"><caption>The parts</caption><thead><tr>')
    body += [f'<th scope="col">{heading}</th>' for heading in HEADINGS]
    body.append("</tr></thead><tbody>")
    body += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(parts)]
    body.append("</tbody></table></div>")
    for part in parts:
        for failure in part.failures:
            summary = f"<code>{escape(visible(failure.title))}</code> {escape(visible(part.whole))}, part {part.shard}"
            said = escape("\n".join(map(visible, failure.text.splitlines())))
            body.append(f'<details open><summary><span class="broken">failed</span> {summary}</summary>')
            body.append(f"<pre>{said}</pre></details>")
    return document(title, asset("harness.report", "checks.css"), body)
