"""Whoever speaks, and whatever has become of the one who connected: an event is its connector's.

Each case is played to observatory, to a bare listener that does it right, and to one with a mistake that real servers
make, which the case must catch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.identity.conftest import BARE, OBSERVATORY

if TYPE_CHECKING:
    from harness.pytest_plugin.fixtures import Tally
    from tests.integration.identity.conftest import Stage


@dataclass(frozen=True)
class Case:
    """What happens (see `harness.inside.peers.cases`), how many events come of it, and a mistake that it catches."""

    name: str
    events: int
    mistake: str


CASES = (
    Case("fork", 1, "speaker"),
    Case("execute", 1, "procfs"),
    Case("change-user", 1, "procfs"),
    Case("moment", 1, "procfs"),
    Case("helper", 1, "real"),
    Case("thread", 1, "procfs"),
    Case("passed", 1, "speaker"),
    Case("shared", 6, "speaker"),
    Case("living", 1, "speaker"),
    Case("dead", 1, "procfs"),
    Case("reused", 1, "details"),
    Case("large-ids", 3, "signed"),
    Case("many-groups", 6, "thirty-two"),
    Case("changed-groups", 1, "procfs"),
    Case("claimed", 1, "claims"),
    Case("forged", 2, "speaker"),
    Case("inner-pid", 1, "claims"),
    Case("inner-root", 1, "claims"),
    Case("nobody", 1, "hidden"),
    Case("early", 1, "procfs"),
    Case("crowd", 1_000, "speaker"),
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_observatory_names_the_connector(stage: Stage, case: Case, tally: Tally) -> None:
    played = stage.play(case.name, stage.server(OBSERVATORY))
    tally(events=len(played.sent))

    assert played.faults(case.events) == []


@every_case
def test_a_bare_listener_names_the_connector(stage: Stage, case: Case) -> None:
    assert stage.play(case.name, stage.server(BARE)).faults(case.events) == []


@every_case
def test_a_server_with_the_mistake_is_caught(stage: Stage, case: Case) -> None:
    assert stage.play(case.name, stage.server([*BARE, case.mistake])).faults(case.events) != []


def test_details_read_by_a_reused_number_are_another_processes(stage: Stage) -> None:
    """What `observatory.identity.process` refuses to report: the name of whoever has the number now."""
    (event,) = stage.play("reused", stage.server([*BARE, "details"])).sent

    assert event.seen["_peer_process"]["pid"] == event.own["pid"]
    assert event.own["process"] is None


def test_an_abstract_socket_has_credentials_and_no_permissions(stage: Stage) -> None:
    """Everybody in the network namespace gets in; who it was is known all the same."""
    assert stage.play("passed", stage.fresh(BARE, abstract=True)).faults(1) == []


def test_a_server_at_an_abstract_socket_that_takes_the_speaker_for_the_connector_is_caught(stage: Stage) -> None:
    assert stage.play("passed", stage.fresh([*BARE, "speaker"], abstract=True)).faults(1) != []
