"""What the kernel cannot say is unknown: never 0, never nobody, never the server itself; and nobody reads by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.identity.conftest import BARE, OBSERVATORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.identity.conftest import Stage

RIGHT = pytest.mark.parametrize("command", [OBSERVATORY, BARE], ids=["observatory", "bare"])


@RIGHT
def test_peers_outside_the_servers_namespaces_are_unknown_and_their_events_are_kept(
    stage: Stage, command: Sequence[str]
) -> None:
    played = stage.play("from-outside", stage.server(command, "user"))

    assert played.faults(4) == []
    assert played.reads == {"outside-bob": []}


@pytest.mark.parametrize("mistake", ["overflow", "own"])
def test_a_server_that_takes_unknown_for_somebody_is_caught(stage: Stage, mistake: str) -> None:
    played = stage.play("from-outside", stage.server([*BARE, mistake], "user"))

    assert played.faults(4) != []
    # All whom it cannot tell apart are one user to it: bob reads what root said.
    assert "outside-root" in played.reads["outside-bob"]


@RIGHT
def test_where_not_every_user_has_a_number_only_those_that_have_are_known(stage: Stage, command: Sequence[str]) -> None:
    """65534 is ambiguous there: it may be the namespace's own nobody, or anybody from outside."""
    played = stage.play("rootless", stage.server(command, "rootless"))

    assert played.faults(5) == []
    assert played.reads == {"outside-bob": [], "inside-bob": ["inside-bob"]}


def test_a_server_in_such_a_place_that_takes_65534_for_a_user_is_caught(stage: Stage) -> None:
    played = stage.play("rootless", stage.server([*BARE, "overflow"], "rootless"))

    assert played.faults(5) != []
    assert {"outside-root", "inside-nobody"} <= set(played.reads["outside-bob"])


@RIGHT
def test_a_peer_in_another_pid_namespace_has_no_pid_and_keeps_its_ids(stage: Stage, command: Sequence[str]) -> None:
    assert stage.play("sibling", stage.server(command, "pid")).faults(1) == []


@pytest.mark.parametrize("mistake", ["overflow", "own"])
def test_a_server_that_makes_up_a_pid_is_caught(stage: Stage, mistake: str) -> None:
    assert stage.play("sibling", stage.server([*BARE, mistake], "pid")).faults(1) != []


@RIGHT
def test_root_of_a_container_reads_neither_the_real_roots_events_nor_another_containers(
    stage: Stage, command: Sequence[str]
) -> None:
    played = stage.play("remapped", stage.fresh(command))
    everybody = sorted(event.token for event in played.sent)

    assert played.faults(5) == []
    assert played.reads == {name: everybody if name == "host-root" else [name] for name in everybody}


def test_a_server_that_shows_everybody_everything_is_caught(stage: Stage) -> None:
    played = stage.play("remapped", stage.fresh([*BARE, "everybody"]))

    assert "host-root" in played.reads["first-root"]
    assert "second-root" in played.reads["first-root"]
