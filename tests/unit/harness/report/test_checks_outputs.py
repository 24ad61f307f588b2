"""Results of checks for machines: JUnit, SARIF, Markdown, and what a baseline leaves of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from harness.checks import CHECKS
from harness.checks.check import CheckResult
from harness.checks.mending import ADVICE, IN_PYTHON, advice
from harness.engines.protocol import Facts
from harness.report import checks_baseline, checks_junit, checks_markdown, checks_sarif
from harness.report.output_file import OutputError

if TYPE_CHECKING:
    from pathlib import Path

FACTS = Facts("namespace", "6.18", "x86_64", "3.11")
HELD = CheckResult("mode", "held", "it has 0660", "harness check --only mode x", seconds=0.5)
BROKEN = CheckResult(
    "flood",
    "broken",
    "1152 connections; member <did not> get in | at all",
    "harness check --only flood x",
    mend="Bound it.",
)
UNKNOWN = CheckResult("umask", "not known", "the attack did not finish", "harness check --only umask x")
NOT_ASKED = CheckResult("audience", "not applicable", "nothing is anybody's", "harness check --only audience x")
KNOWN = replace(BROKEN, check="lifetime", expected="issue 12")
ALL = (HELD, BROKEN, UNKNOWN, NOT_ASKED, KNOWN)


def test_junit_has_a_case_for_each_check_and_fails_for_news_only() -> None:
    suite = ElementTree.fromstring(checks_junit.junit("served", ALL, FACTS)).find("testsuite")
    assert suite is not None
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "2",
    }
    inside = {case.get("name"): [child.tag for child in case] for case in suite.findall("testcase")}
    assert inside == {
        "mode": [],
        "flood": ["failure"],
        "umask": ["error"],
        "audience": ["skipped"],
        "lifetime": ["skipped"],
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "Bound it." in (failure.text or "")
    assert "again: harness check --only flood x" in (failure.text or "")


def test_sarif_has_what_is_broken_or_not_known_with_its_rule_and_its_reason() -> None:
    (run,) = json.loads(checks_sarif.sarif("served", "subject.toml", ALL))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [check.name for check in CHECKS]
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("flood", "error"),
        ("umask", "warning"),
        ("lifetime", "error"),
    ]
    first, _, known = run["results"]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "subject.toml"
    assert "Bound it." in first["message"]["text"]
    assert known["suppressions"] == [{"kind": "external", "justification": "issue 12"}]
    again = checks_sarif.sarif("served", "subject.toml", [replace(BROKEN, why=BROKEN.why.replace("1152", "1100"))])
    assert json.loads(again)["runs"][0]["results"][0]["partialFingerprints"] == first["partialFingerprints"]


def test_sarif_names_a_file_as_a_uri_does() -> None:
    (run,) = json.loads(checks_sarif.sarif("served", "sub/a b%#?\xe9\udcff.toml", ALL))["runs"]
    uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]}
    assert uris == {"sub/a%20b%25%23%3F%C3%A9%FF.toml"}


def test_sarif_tells_a_worse_fault_from_the_one_before() -> None:
    def fingerprint(result: CheckResult) -> str:
        (found,) = json.loads(checks_sarif.sarif("served", "subject.toml", [result]))["runs"][0]["results"]
        return str(found["partialFingerprints"]["fault/v1"])

    wide = replace(BROKEN, check="mode", why="0660 is asked for, it has 0666")
    assert fingerprint(wide) != fingerprint(replace(wide, why="0660 is asked for, it has 0777"))
    late = replace(UNKNOWN, why="the attack did not finish: 7 of 12 tries are missing")
    assert fingerprint(UNKNOWN) == fingerprint(late)


def test_markdown_escapes_what_a_server_said() -> None:
    text = checks_markdown.markdown("served", ALL)
    assert "member &lt;did not> get in \\| at all" in text
    assert "(known: issue 12)" in text
    assert text.count("```sh") == 2


def test_a_baseline_lets_the_same_fault_pass_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "baseline"
    file.write_text("".join(json.dumps(asdict(result)) + "\n" for result in (HELD, BROKEN)), encoding="utf-8")
    baseline = checks_baseline.load(file)
    same = replace(BROKEN, why=BROKEN.why.replace("1152", "1100"))
    assert checks_baseline.mark(same, {}, baseline).expected == checks_baseline.KNOWN
    assert not checks_baseline.mark(same, {}, baseline).fails
    assert checks_baseline.mark(replace(BROKEN, why=BROKEN.why + "; and root too"), {}, baseline).fails
    assert checks_baseline.mark(replace(BROKEN, check="mode"), {}, baseline).fails
    assert checks_baseline.mark(UNKNOWN, {"umask": "x"}, baseline).fails  # what is not known is no known fault
    assert checks_baseline.mark(BROKEN, {"flood": "a reason"}, {}).expected == "a reason"


def test_a_baseline_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline"
    with pytest.raises(OutputError, match="can't be read"):
        checks_baseline.load(file)
    for line in ("held mode", "[" * 100_000, '{"verdict": "broken", "check": "mode", "why": "x", "evidence": 1}'):
        file.write_text(f"{line}\n", encoding="utf-8")
        with pytest.raises(OutputError, match=r"line 1 .* is not a result of a check"):
            checks_baseline.load(file)


def test_every_check_says_how_to_mend_what_it_finds() -> None:
    assert set(ADVICE) == {check.name for check in CHECKS}
    assert set(IN_PYTHON) <= set(ADVICE)
    assert IN_PYTHON["lifetime"] in advice("lifetime", "/usr/bin/python3.11")
    assert IN_PYTHON["lifetime"] not in advice("lifetime", "/usr/sbin/nginx")
