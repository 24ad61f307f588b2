"""A run as JUnit XML, the dialect that CI systems read (testsuites, testsuite, testcase, failure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.report.drawing import explanation, operation_and_path
from harness.report.text import plain, visible
from harness.report.trail import Trails

if TYPE_CHECKING:
    from harness.trials.run import Run

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot carry, not even as a reference (production 2, Char)."""


def junit(run: Run) -> str:
    """The whole document: a test case for each attempt; what disagrees is a failure with its explanation."""
    failures = sum(not verdict.agree for verdict in run.verdicts)
    name = xml_text(run.world.name)
    counts = {"tests": str(len(run.verdicts)), "failures": str(failures), "errors": "0", "skipped": "0"}
    suites = ElementTree.Element("testsuites", {"name": "harness", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **counts})
    properties = ElementTree.SubElement(suite, "properties")
    facts = {"engine": run.facts.engine, "kernel": run.facts.kernel, "reproduce": run.reproduce}
    for key, value in [*facts.items(), *sorted(run.facts.sysctls.items())]:
        ElementTree.SubElement(properties, "property", {"name": xml_text(key), "value": xml_text(str(value))})
    trails = Trails(run.world)
    for verdict in run.verdicts:
        title = xml_text(f"{visible(verdict.attempt.user)} {operation_and_path(verdict.attempt)}")
        case = ElementTree.SubElement(suite, "testcase", {"classname": name, "name": title})
        if not verdict.agree:
            message = xml_text("; ".join(verdict.differences))
            kind = "expectation" if verdict.unexpected else "disagreement"
            failure = ElementTree.SubElement(case, "failure", {"type": kind, "message": message})
            failure.text = xml_text(plain(explanation(run.world, trails, [verdict], run.reproduce)))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=False) + "\n"


def xml_text(value: str) -> str:
    """The text with what XML cannot carry as escapes."""
    return _ILLEGAL.sub(lambda match: visible(match[0]), value)
