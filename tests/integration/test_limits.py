"""What engines are said not to be able to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engines.registry import ENGINES
from tests.integration.conftest import shared
from tests.integration.limits import LIMITS

HERE = Path(__file__).parent


@pytest.mark.parametrize("case", sorted({case for limit in LIMITS for case in limit.cases}))
def test_what_an_engine_cannot_show_is_a_case_that_there_is(case: str) -> None:
    file, _, function = case.partition("::")
    if not function:
        assert (HERE / file).is_file() or list((HERE / file).glob("test_*.py"))
        return
    text = (HERE / file).read_text(encoding="utf-8")
    assert f"def {function.partition('[')[0]}" in text


def test_it_is_said_why_and_by_what_source() -> None:
    assert {limit.engine for limit in LIMITS} <= set(ENGINES)
    for limit in LIMITS:
        assert limit.why
        source = limit.source.partition(";")[0]
        assert (HERE.parents[1] / source).exists()


def test_a_limit_is_of_its_cases_in_its_engine_only() -> None:
    shell = "tests/integration/scenarios/test_shell.py::test_a_capability_that_was_given_reaches_the_shell[host]"
    assert any(limit.covers(shell, "host") for limit in LIMITS)
    assert not any(limit.covers(shell.replace("host", "docker"), "docker") for limit in LIMITS)


def test_a_limit_of_a_system_holds_there_only() -> None:
    identity = "tests/integration/identity/test_identity_cases.py::test_any[host]"
    assert any(limit.covers(identity, "host", "darwin") for limit in LIMITS)
    assert not any(limit.covers(identity, "host", "linux") for limit in LIMITS)


def test_one_worker_has_the_host_and_one_has_each_subject() -> None:
    subjects = "tests/integration/subjects/test_subjects.py::test_a_real_server"
    assert shared(f"{subjects}[host-tcp-mode]") == shared("tests/integration/engines/test_places.py::test_a[host]")
    assert shared(f"{subjects}[docker-postgresql-17-takeover-live]") == shared(f"{subjects}[docker-postgresql-17-mode]")
    alone = {
        f"{subjects}[docker-postgresql-mode]",
        f"{subjects}[podman-postgresql-17-mode]",
        "tests/a.py::test_b[docker]",
    }
    assert len({*map(shared, alone), shared(f"{subjects}[docker-postgresql-17-mode]")}) == 4
