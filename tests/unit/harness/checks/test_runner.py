"""Checks are made one after the other or side by side, and said in one order."""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Event, Lock, main_thread
from types import SimpleNamespace
from typing import Any

import pytest

from harness.checks import CHECKS, runner
from harness.checks.check import Check, Finding, broken, held
from harness.checks.runner import Configuration, check
from tests.helpers.deadline import PATIENCE, until

BESIDE = 3


class Bench(SimpleNamespace):
    """A testbed that only counts."""

    ended: str | None = None

    def like(self, place: str) -> Bench:
        return Bench(place=place)

    def begin_check(self) -> None:
        """It has no time."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which check was made in which place."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(runner, "Testbed", lambda place, *_, **__: Bench(place=place))
    monkeypatch.setattr(runner, "rehearsed", lambda _: SimpleNamespace(program="/bin/server"))
    return found


def checks(monkeypatch: pytest.MonkeyPatch, attack: Any) -> None:
    monkeypatch.setattr(runner, "CHECKS", tuple(Check(each.name, each.holds, attack(each.name)) for each in CHECKS))


def results(**how: Any) -> Any:
    return check("first", "a subject", Configuration(), ("harness", "check"), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("others", [(), ("second", "third")])
def test_every_check_is_made_once_and_said_in_its_order(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str, str]], others: tuple[str, ...]
) -> None:
    lock = Lock()

    def attack(name: str) -> Any:
        def tried(bench: Bench) -> Finding:
            with lock:
                made.append((name, bench.place))
            return held(name)

        return tried

    checks(monkeypatch, attack)
    names = [each.name for each in CHECKS]
    assert [(result.check, result.why) for result in results(others=others)] == [(name, name) for name in names]
    assert sorted(name for name, _ in made) == sorted(names)
    assert {place for _, place in made} <= {"first", *others}
    assert [result.check for result in results(only=["mode"], others=others)] == ["mode"]


def test_side_by_side_as_many_are_made_at_a_time_as_there_are_places(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str, str]]
) -> None:
    meeting = Barrier(BESIDE)

    def attack(name: str) -> Any:
        def tried(bench: Bench) -> Finding:
            if name in runner.LONGEST[:BESIDE]:
                meeting.wait(PATIENCE)  # nobody gets on before all of them are here
            return held(bench.place)

        return tried

    checks(monkeypatch, attack)
    seen = {result.check: result.why for result in results(others=("second", "third"))}
    assert {seen[name] for name in runner.LONGEST[:BESIDE]} == {"first", "second", "third"}


def test_who_interrupts_it_gets_what_was_found_by_then(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str, str]]
) -> None:
    released = Event()
    submitted: list[Future[Any]] = []
    submit = ThreadPoolExecutor.submit

    def noting(pool: ThreadPoolExecutor, *work: Any) -> Future[Any]:
        submitted.append(submit(pool, *work))
        return submitted[-1]

    def attack(name: str) -> Any:
        def tried(bench: Bench) -> Finding:
            if name == "traversal":
                until(lambda: sum(each.done() for each in submitted) == len(CHECKS) - 1, "all others are done")
                signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
                released.wait(PATIENCE)
            made.append((name, bench.place))
            return held(name)

        return tried

    monkeypatch.setattr(ThreadPoolExecutor, "submit", noting)
    checks(monkeypatch, attack)
    seen: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            seen.extend(result.check for result in results(others=("second",)))
    finally:
        released.set()
    assert seen == [each.name for each in CHECKS if each.name != "traversal"]


def test_what_begins_first_are_checks(made: list[tuple[str, str]]) -> None:
    assert set(runner.LONGEST) < {each.name for each in CHECKS}
    assert made == []


def test_what_was_found_of_a_server_that_ended_meanwhile_begins_with_its_end(
    monkeypatch: pytest.MonkeyPatch, made: list[tuple[str, str]]
) -> None:
    """And what held until then is not known to hold."""

    def attack(name: str) -> Any:
        def tried(bench: Bench) -> Finding:
            made.append((name, bench.place))
            bench.ended = "the server ended"
            return broken("nobody got in") if name == "mode" else held("nobody got in")

        return tried

    checks(monkeypatch, attack)
    found = {result.check: (result.verdict, result.why) for result in results(only=("mode", "umask"))}
    assert found == {
        "mode": ("broken", "the server ended; nobody got in"),
        "umask": ("not known", "the server ended; until then nobody got in"),
    }
