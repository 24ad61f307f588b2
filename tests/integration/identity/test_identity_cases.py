"""Whoever speaks, and whatever has become of the one who connected: an event is its connector's.

Each case is played to observatory, to a bare listener that does it right, and to one with a mistake that real servers
make, which the case must catch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plugin import Tally
    from tests.integration.identity.conftest import Sent, Watched


@dataclass(frozen=True)
class Case:
    """What happens (the actor's docstring says it), how many events come of it, and a mistake that it catches."""

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
    Case("dead", 2, "procfs"),
    Case("reused", 2, "procfs"),
    Case("large-ids", 3, "signed"),
    Case("many-groups", 6, "thirty-two"),
    Case("changed-groups", 1, "procfs"),
    Case("claimed", 1, "claims"),
    Case("forged", 2, "speaker"),
    Case("inner-pid", 1, "claims"),
    Case("inner-root", 1, "claims"),
    Case("crowd", 1_000, "speaker"),
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def faults(sent: list[Sent], case: Case) -> list[str]:
    assert len(sent) == case.events
    return [fault for event in sent if (fault := event.fault())]


@every_case
def test_observatory_names_the_connector(observatory: Watched, case: Case, tally: Tally) -> None:
    sent = observatory.act(case.name)
    tally(events=len(sent))

    assert faults(sent, case) == []
    # Nothing is said of a process beyond its number unless the process is proved to be the connector.
    assert all(event.seen.get("_peer_process") is None for event in sent if case.name in {"dead", "reused"})


@every_case
def test_a_bare_listener_names_the_connector(bare: Callable[..., Watched], case: Case) -> None:
    assert faults(bare().act(case.name), case) == []


@every_case
def test_a_server_with_the_mistake_is_caught(bare: Callable[..., Watched], case: Case) -> None:
    assert faults(bare(case.mistake).act(case.name), case) != []


def test_details_read_by_a_reused_number_are_another_processes(bare: Callable[..., Watched]) -> None:
    """What `observatory.identity.process` refuses to report: the name of whoever has the number now."""
    _, second = bare("details").act("reused")

    assert second.seen["_peer_process"] is not None
