"""Results of checks as JUnit XML: a test case for each check."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from harness.report.junit import xml_text
from harness.report.text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.checks.check import CheckResult
    from harness.engines.protocol import Facts


def junit(name: str, results: Sequence[CheckResult], facts: Facts) -> str:
    """The whole document. What is broken is a failure, what could not be found out an error; what is not applicable, or
    known to be broken, is skipped with its reason."""
    broken = sum(result.fails and result.verdict == "broken" for result in results)
    unknown = sum(result.fails and result.verdict == "not known" for result in results)
    skipped = sum(result.verdict == "not applicable" or bool(result.expected) for result in results)
    counts = {
        "tests": str(len(results)),
        "failures": str(broken),
        "errors": str(unknown),
        "skipped": str(skipped),
        "time": f"{sum(result.seconds for result in results):.1f}",
    }
    suites = ElementTree.Element("testsuites", {"name": "harness check", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": xml_text(visible(name)), **counts})
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in (("engine", facts.engine), ("kernel", facts.kernel)):
        ElementTree.SubElement(properties, "property", {"name": key, "value": xml_text(value)})
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {"classname": xml_text(visible(name)), "name": result.check, "time": f"{result.seconds:.1f}"},
        )
        why = xml_text(visible(result.why))
        if result.expected:
            ElementTree.SubElement(case, "skipped", {"message": xml_text(f"known: {result.expected}; {why}")})
        elif result.verdict == "not applicable":
            ElementTree.SubElement(case, "skipped", {"message": why})
        elif result.fails:
            kind = "failure" if result.verdict == "broken" else "error"
            element = ElementTree.SubElement(case, kind, {"type": result.verdict, "message": why})
            element.text = xml_text(f"{visible(result.why)}\n{result.mend}\nagain: {visible(result.reproduce)}\n")
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=False) + "\n"
