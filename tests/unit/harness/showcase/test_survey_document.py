"""docs/survey.md has a row for every server, a verdict for every check, and a reproduction for everything broken."""

from __future__ import annotations

from harness.checks import CHECKS
from harness.showcase.survey import SHORT
from harness.showcase.tcp_or_unix import EXPERIMENTS
from harness.subjects import SUBJECTS
from tests.helpers.due_verdicts import DUE
from tests.helpers.survey_document import reproductions, table

LONG = {short: verdict for verdict, short in SHORT.items()}


def test_every_server_has_a_verdict_of_every_check() -> None:
    head, *rows = table("All checks")
    assert head[1:] == [check.name for check in CHECKS]
    assert [row[0] for row in rows] == list(SUBJECTS)
    assert {cell for row in rows for cell in row[1:]} <= set(LONG)


def test_the_glance_says_the_same_as_the_verdicts() -> None:
    head, *rows = table("All checks")
    verdicts = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    _, *glances = table("At a glance")
    assert [glance[0].partition("<br>")[0] for glance in glances] == list(SUBJECTS)
    for name, mode, window, steals, _ in glances:
        row = verdicts[name.partition("<br>")[0]]
        assert (mode == "0660") or (row["mode"] != "held") or name.startswith("ssh-agent")
        wide = mode != "none" and int(mode, 8) & 0o222 & ~0o660 != 0
        assert ("no" in window) == (wide or LONG[row["creation-window"]] == "broken")
        assert ("yes" in steals) == (LONG[row["takeover-live"]] == "broken")


def test_what_is_broken_and_nothing_else_has_a_reproduction() -> None:
    head, *rows = table("All checks")
    broken = [
        (row[0], name) for row in rows for name, cell in zip(head[1:], row[1:], strict=True) if LONG[cell] == "broken"
    ]
    assert [(server, check) for server, check, _ in reproductions()] == broken
    for server, check, command in reproductions():
        assert command == f"harness check --only {check} {server}"


def test_the_survey_and_the_tests_of_the_subjects_say_the_same() -> None:
    head, *rows = table("All checks")
    for row in rows:
        if row[0] in DUE:
            seen = {name: LONG[cell] for name, cell in zip(head[1:], row[1:], strict=True)}
            assert seen == {check.name: DUE[row[0]].get(check.name, "held") for check in CHECKS}, row[0]


def test_a_port_and_a_socket_are_compared_in_every_experiment() -> None:
    head, *rows = table("A TCP port and a Unix socket")
    assert head == ["", "TCP port", "Unix socket"]
    assert len(rows) == len(EXPERIMENTS)
    assert all(len(row) == 3 and all(row) for row in rows)
