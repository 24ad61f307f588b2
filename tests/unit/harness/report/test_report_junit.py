from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from harness.report.junit import junit
from tests.helpers.runs import admitted, refused, run_of

if TYPE_CHECKING:
    from harness.trials.run import Run


def test_each_attempt_is_a_test_case_of_the_world(run: Run) -> None:
    suite = ElementTree.fromstring(junit(run)).find("testsuite")
    assert suite is not None
    assert suite.attrib == {"name": "home", "tests": "2", "failures": "0", "errors": "0", "skipped": "0"}
    assert [case.attrib for case in suite.iter("testcase")] == [
        {"classname": "home", "name": "ali connect /run/app/app.sock"},
        {"classname": "home", "name": "nginx connect /run/app/app.sock"},
    ]
    assert {one.get("name"): one.get("value") for one in suite.iter("property")} == {
        "engine": "namespace",
        "kernel": "6.18.0",
        "reproduce": "harness run home.toml --engine namespace",
        "fs.protected_symlinks": "1",
        "net.core.somaxconn": "4096",
    }


def test_a_disagreement_is_a_failure_with_its_explanation(disagreeing: Run) -> None:
    suites = ElementTree.fromstring(junit(disagreeing))
    assert suites.get("failures") == "1"
    (failure,) = suites.iter("failure")
    assert failure.get("message") == ("nginx connect /run/app/app.sock: the oracle says EACCES, the kernel did ok")
    assert failure.text is not None
    assert "drwxr-x---+ ali  ali" in failure.text
    assert "again  harness run home.toml --engine namespace" in failure.text


def test_an_expectation_that_is_not_met_is_a_failure_of_its_own_kind(disagreeing: Run) -> None:
    (failure,) = ElementTree.fromstring(junit(run_of(admitted(expect="EACCES")))).iter("failure")
    assert failure.get("type") == "expectation"
    (failure,) = ElementTree.fromstring(junit(disagreeing)).iter("failure")
    assert failure.get("type") == "disagreement"


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=20))
def test_whatever_the_name_the_document_is_xml(name: str) -> None:
    document = junit(run_of(refused(path=f"/run/{name}", observed="ok")))
    assert ElementTree.fromstring(document).get("failures") == "1"
