"""All subjects, all checks, in one run: `nox -s survey` writes what came of it as Markdown and as HTML."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.checks import CHECKS
from harness.checks.runner import CheckError, Configuration, check
from harness.engines.protocol import PlaceError
from harness.engines.registry import choose
from harness.engines.side_by_side import places
from harness.report.checks_html import Comparison, Section, html_page
from harness.report.checks_terminal import print_result
from harness.report.output_file import write_output
from harness.showcase import tcp_or_unix
from harness.subjects import SUBJECTS
from harness.subjects.web import PACKAGES, ReleasedServer
from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.checks import CheckResult
    from harness.engines.protocol import Engine, Facts, Place
    from harness.subjects import Subject

SHORT = {"held": "held", "broken": "**broken**", "not applicable": "·", "not known": "?"}
TOO_WIDE = 0o222 & ~Configuration().mode
"""Mode bits by which those may connect for whom the mode that is asked for has no place (unix(7): write permission)."""


@dataclass(frozen=True, slots=True)
class SurveyedServer:
    """One server: its packages' versions, and what came of the checks."""

    subject: Subject
    versions: str
    results: tuple[CheckResult, ...]

    def verdict(self, name: str) -> str:
        """A check's verdict, in the few letters of a table."""
        return next((SHORT[result.verdict] for result in self.results if result.check == name), "")

    def mode(self) -> str:
        """The mode that the socket had."""
        for result in self.results:
            if result.check == "mode":
                return str(result.evidence.get("mode", "?"))
        return "?"


def main(arguments: Sequence[str] | None = None) -> int:
    """Survey and write."""
    parser = argparse.ArgumentParser(prog="python -m harness.showcase.survey", description=__doc__)
    parser.add_argument("--engine", default="auto", help="an engine with images (default: auto)")
    parser.add_argument("--text", type=Path, default=Path("docs/survey.md"), help="where the Markdown goes")
    parser.add_argument("--page", type=Path, default=Path("artifacts/survey.html"), help="where the HTML goes")
    options = parser.parse_args(arguments)
    engine = choose(options.engine)
    surveyed = [survey(subject, engine) for subject in SUBJECTS.values()]
    print("\ncomparing a TCP port with a Unix socket", flush=True)
    rows = list(tcp_or_unix.compare(engine))
    with engine.open() as place:
        facts = place.facts
    sections = [Section(each.subject.name, each.subject.about, each.results) for each in surveyed]
    page = html_page("A survey of servers on Unix sockets", sections, facts, rows)
    for file, text in ((options.text, markdown(surveyed, rows, facts)), (options.page, page)):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_output(file, text)
    return 0


def survey(subject: Subject, engine: Engine) -> SurveyedServer:
    """Make every check of one subject. Raises PlaceError, or CheckError if it does not start at all."""
    print(f"\n{subject.name}: {subject.about}", flush=True)
    image = engine.image_with(subject.suite, subject.packages)
    configuration = Configuration(owner=subject.owner, group=subject.group)
    results = []
    with places(engine, image=image, mounts=subject.install(engine, image)) as [place, *others]:
        versions = _versions(subject, place)
        for result in check(place, subject, configuration, ("harness", "check", subject.name), others=others):
            print_result(result, sys.stdout)
            results.append(result)
    return SurveyedServer(subject, versions, tuple(results))


def _versions(subject: Subject, place: Place) -> str:
    """The versions of the subject's own Debian packages in the place; of Python, where that is all it is."""
    if isinstance(subject, ReleasedServer):
        return subject.releases[0].replace("==", " ")
    show = ["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", "python3", *subject.packages]
    lines = place.run(show, ROOT).stdout.splitlines()
    python = [line for line in lines if line.startswith("python3 ")]
    others = [line for line in lines if line not in python]
    named = [line for line in others if subject.name.partition("-")[0] in line.partition(" ")[0]]
    return ", ".join(named or (python if subject.packages in ((), PACKAGES) else others))


def markdown(surveyed: Sequence[SurveyedServer], rows: Sequence[Comparison], facts: Facts) -> str:
    """The survey as a document."""
    lines = [
        "# Survey: what servers on Unix sockets do",
        "",
        "<!-- Written by `nox -s survey`; change the checks, the subjects or the servers, not this file. -->",
        "",
        "Every check of [checks.md](checks.md) against every server of [subjects.md](subjects.md), in places of the",
        f"{facts.engine} engine on {facts.system} {facts.kernel}. A `·`: the check does not apply to that server,",
        "or can't be put to it; it never counts as held.",
        "",
        "## At a glance",
        "",
        "Asked for mode 0660, by an option where there is one, else by the umask.",
        "",
        "| server | makes | only as wide as asked, from the start | steals a living socket | knows its peers |",
        "|---|---|---|---|---|",
        *(_glance(each) for each in surveyed),
        "",
        "## All checks",
        "",
        "| server | " + " | ".join(each.name for each in CHECKS) + " |",
        "|---" * (len(CHECKS) + 1) + "|",
        *(
            f"| {each.subject.name} | " + " | ".join(each.verdict(one.name) for one in CHECKS) + " |"
            for each in surveyed
        ),
        "",
        "## What is broken, and how to see it",
        "",
        "Each command below makes the one check again, wherever `pip install 'claude-observatory[docker,subjects]'`",
        "was done and an engine with images answers.",
        "",
        *(line for each in surveyed for line in _faults(each)),
        "## A TCP port and a Unix socket",
        "",
        "Two servers of the same user in one place: a hook server on a TCP port, and the observatory on a socket of",
        "mode 0660. Each cell is what was seen.",
        "",
        "| | TCP port | Unix socket |",
        "|---|---|---|",
        *(f"| {row.question} | {_cell(row.tcp)} | {_cell(row.unix)} |" for row in rows),
        "",
    ]
    return "\n".join(lines)


def _glance(each: SurveyedServer) -> str:
    made = each.mode()
    window = {"held": "yes", "**broken**": "**no**"}.get(each.verdict("creation-window"), "·")
    if made.isdigit() and int(made, 8) & TOO_WIDE:
        window = "**no**"
    steals = {"held": "no", "**broken**": "**yes**"}.get(each.verdict("takeover-live"), "·")
    knows = {"held": "yes", "**broken**": "**no**"}.get(each.verdict("identity"), "·")
    name = f"{each.subject.name}<br>{each.versions}" if each.versions else each.subject.name
    return f"| {name} | {made} | {window} | {steals} | {knows} |"


def _faults(each: SurveyedServer) -> list[str]:
    broken = [result for result in each.results if result.verdict == "broken"]
    if not broken:
        return []
    lines = [f"### {each.subject.name}", "", f"{each.subject.about}.", ""]
    for result in broken:
        lines += [f"- **{result.check}**: {_cell(result.why)}", "", "  ```sh", f"  {result.reproduce}", "  ```", ""]
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (PlaceError, CheckError) as error:
        sys.exit(f"harness: {error}")
