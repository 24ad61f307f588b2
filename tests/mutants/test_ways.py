"""Each way of starting and stopping, each kind of socket and of door is judged as it is due: caught or cleared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks.runner import CheckError, Configuration, check
from harness.subjects.command import CommandSubject
from tests.mutants.conftest import INSIDE
from tests.mutants.ways import SLOW, WAYS

if TYPE_CHECKING:
    from harness.checks import CheckResult
    from harness.engines.protocol import Place

OF_ALL = ("lifetime", "descriptor-leak", "inherited", "creation-window", "takeover-stale")


def results(place: Place, name: str, *only: str, owner: str = "alice", **how: Any) -> dict[str, CheckResult]:
    subject = CommandSubject(
        name=name,
        about="a server of this suite",
        command=("python3", "-S", "-m", "tests.mutants.ways", name, "--socket", "{socket}", "--mode", "{mode}"),
        speaks="nothing" if name.startswith("datagrams") else "hooks",
        starts=3,
        environment={"PYTHONPATH": INSIDE, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    made = check(place, replace(subject, **how), Configuration(owner=owner), ("harness", "check"), only)
    return {result.check: result for result in made}


def verdicts(found: dict[str, CheckResult]) -> dict[str, str]:
    return {name: result.verdict for name, result in found.items()}


def test_a_server_in_the_background_is_judged_and_not_whoever_started_it(place: Place) -> None:
    found = results(place, "in-the-background", *OF_ALL)
    assert verdicts(found) == dict.fromkeys(OF_ALL, "held"), found
    assert not found["descriptor-leak"].why.startswith("0 ")


@pytest.mark.parametrize(
    ("name", "meant"), [("in-the-background-and-leaks", "descriptor-leak"), ("in-the-background-and-stays", "lifetime")]
)
def test_a_fault_in_the_background_is_caught(place: Place, name: str, meant: str) -> None:
    assert results(place, name, meant)[meant].verdict == "broken"


def test_a_deaf_server_is_told_of_once_and_costs_no_patience_afterwards(place: Place) -> None:
    found = results(place, "deaf", "lifetime", "creation-window", "takeover-live", patience=4.0)
    assert verdicts(found) == {"creation-window": "held", "takeover-live": "held", "lifetime": "broken"}
    assert "did not end within 4 s of SIGTERM" in found["lifetime"].why
    assert found["lifetime"].seconds < 1.0


def test_a_slow_server_needs_patience_and_is_told_so(place: Place) -> None:
    with pytest.raises(CheckError, match=r"did not answer root .* within 1 s, .*--patience"):
        results(place, "slow", "mode", patience=1.0)
    assert results(place, "slow", "mode", patience=10 * SLOW)["mode"].verdict == "held"


def test_a_window_that_only_a_wide_umask_opens_is_seen(place: Place) -> None:
    found = results(place, "trusts-the-umask", "mode", "umask", "creation-window")
    assert verdicts(found) == {"mode": "held", "umask": "held", "creation-window": "broken"}
    assert "under umask 000" in found["creation-window"].why
    assert "under umask 022" not in found["creation-window"].why


def test_what_is_wider_than_asked_in_the_end_is_the_modes_fault_and_no_windows(place: Place) -> None:
    wide = ("python3", "-S", "-m", "tests.mutants.ways", "starts-nothing", "--socket", "{socket}", "--mode", "0666")
    found = results(place, "starts-nothing", "mode", "creation-window", command=wide)
    assert verdicts(found) == {"mode": "broken", "creation-window": "not applicable"}


def test_a_child_without_the_sockets_clears_a_server_whose_sockets_are_inheritable(place: Place) -> None:
    found = results(place, "closes-in-the-child", "inherited")["inherited"]
    assert found.verdict == "held"
    assert "sleep" in found.why
    assert "not close-on-exec" in found.why


def test_of_a_server_that_starts_nothing_no_leak_is_claimed(place: Place) -> None:
    found = results(place, "starts-nothing", "inherited")["inherited"]
    assert found.verdict == "not applicable"
    assert "not close-on-exec" in found.why


def test_a_server_that_asks_who_has_its_name_has_no_client_that_was_misled(place: Place) -> None:
    found = results(place, "asks-first", "squatting")["squatting"]
    assert found.verdict == "held", found.why
    assert sum(found.evidence["squatter"]["bytes"].values()) > 0


def test_of_a_server_of_roots_the_two_checks_of_the_name_agree(place: Place) -> None:
    found = results(place, "takes-any-name", "takeover-foreign", "squatting", owner="root")
    assert verdicts(found) == {"takeover-foreign": "broken", "squatting": "not applicable"}
    own = results(place, "asks-first", "takeover-foreign", "squatting", owner="root")
    assert verdicts(own) == {"takeover-foreign": "held", "squatting": "held"}


def test_a_second_door_is_a_fault_unless_it_is_meant(place: Place) -> None:
    assert results(place, "second-door", "traversal")["traversal"].verdict == "broken"
    found = results(place, "second-door", "traversal", doors=("tcp:7531", "tcp:7532"))["traversal"]
    assert found.verdict == "held"
    assert "tcp:localhost:7531 too, which is meant" in found.why
    assert "tcp:localhost:7532, which is meant, it does not listen" in found.why


def test_a_flood_that_has_not_filled_the_server_when_its_time_is_over_says_nothing_of_it(place: Place) -> None:
    found = results(place, "unhurried", "flood")["flood"]
    assert found.verdict == "not known", found.why
    assert "which is no flood yet" in found.why


def test_a_datagram_socket_is_attacked_as_such(place: Place) -> None:
    found = results(place, "datagrams")
    unasked = {"identity", "forgery", "audience", "slow-peer"}
    assert {name for name, result in found.items() if result.verdict != "held"} == unasked, found


@pytest.mark.parametrize(
    ("name", "meant"), [("datagrams-for-a-moment", "creation-window"), ("datagrams-unread", "flood")]
)
def test_a_fault_of_a_datagram_socket_is_caught(place: Place, name: str, meant: str) -> None:
    assert results(place, name, meant)[meant].verdict == "broken"


def test_a_server_that_is_handed_its_socket_is_asked_what_makes_sense(place: Place) -> None:
    found = results(place, "activated", activated=True)
    of_who_starts_it = {"creation-window", "umask", "takeover-live", "takeover-stale", "takeover-foreign", "squatting"}
    assert {name for name, result in found.items() if result.verdict == "not applicable"} == of_who_starts_it
    assert "broken" not in verdicts(found).values()
    tidy = results(place, "activated-and-tidy", "lifetime", activated=True)["lifetime"]
    assert tidy.verdict == "broken"


def test_every_way_is_tried(request: pytest.FixtureRequest) -> None:
    text = request.path.read_text(encoding="utf-8")
    assert [name for name in WAYS if f'"{name}"' not in text] == []
