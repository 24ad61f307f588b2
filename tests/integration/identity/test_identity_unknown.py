"""What the kernel cannot say is unknown: never 0, never nobody, never the server itself; and nobody reads by it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.integration.identity.conftest import bare_command, observatory_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.identity.conftest import Played, Watched


RIGHT = pytest.mark.parametrize("command", [observatory_command(), bare_command()], ids=["observatory", "bare"])


def faults(played: Played, events: int) -> list[str]:
    assert len(played.sent) == events
    return [fault for event in played.sent if (fault := event.fault())]


@RIGHT
def test_peers_outside_the_servers_namespaces_are_unknown_and_their_events_are_kept(
    confined: Callable[..., Watched], command: list[str]
) -> None:
    played = confined("user", command).play("from-outside")

    assert faults(played, 4) == []
    assert played.reads == {"outside-bob": []}


@pytest.mark.parametrize("mistake", ["overflow", "own"])
def test_a_server_that_takes_unknown_for_somebody_is_caught(confined: Callable[..., Watched], mistake: str) -> None:
    played = confined("user", bare_command(mistake)).play("from-outside")

    assert faults(played, 4) != []
    # All whom it cannot tell apart are one user to it: bob reads what root said.
    assert "outside-root" in played.reads["outside-bob"]


ROOTLESS = [observatory_command("--database", "/tmp/rootless.sqlite"), bare_command()]


@pytest.mark.parametrize("command", ROOTLESS, ids=["observatory", "bare"])
def test_where_not_every_user_has_a_number_only_those_that_have_are_known(
    confined: Callable[..., Watched], command: list[str]
) -> None:
    """65534 is ambiguous there: it may be the namespace's own nobody, or anybody from outside."""
    played = confined("rootless", command).play("rootless")

    assert faults(played, 5) == []
    assert played.reads == {"outside-bob": [], "inside-bob": ["inside-bob"]}


def test_a_server_in_such_a_place_that_takes_65534_for_a_user_is_caught(confined: Callable[..., Watched]) -> None:
    played = confined("rootless", bare_command("overflow")).play("rootless")

    assert faults(played, 5) != []
    assert {"outside-root", "inside-nobody"} <= set(played.reads["outside-bob"])


@RIGHT
def test_where_every_user_has_a_number_65534_is_the_user_nobody(
    started: Callable[..., Watched], command: list[str]
) -> None:
    assert faults(started(command).play("nobody"), 1) == []


@RIGHT
def test_a_peer_in_another_pid_namespace_has_no_pid_and_keeps_its_ids(
    confined: Callable[..., Watched], command: list[str]
) -> None:
    assert faults(confined("pid", command).play("sibling"), 1) == []


@pytest.mark.parametrize("mistake", ["overflow", "own"])
def test_a_server_that_makes_up_a_pid_is_caught(confined: Callable[..., Watched], mistake: str) -> None:
    assert faults(confined("pid", bare_command(mistake)).play("sibling"), 1) != []


@RIGHT
def test_a_peer_that_died_before_it_was_accepted_is_named_and_its_event_kept(
    started: Callable[..., Watched], command: list[str]
) -> None:
    assert faults(early(started(command)), 1) == []


def test_a_server_that_looks_the_dead_up_is_caught(bare: Callable[..., Watched]) -> None:
    assert faults(early(bare("procfs")), 1) != []


def early(watched: Watched) -> Played:
    watched.process.signal(signal.SIGSTOP)
    return watched.play("early", str(watched.process.pid))


@RIGHT
def test_root_of_a_container_reads_neither_the_real_roots_events_nor_another_containers(
    started: Callable[..., Watched], command: list[str]
) -> None:
    played = started(command).play("remapped")
    everybody = sorted(event.token for event in played.sent)

    assert faults(played, 5) == []
    assert played.reads == {name: everybody if name == "host-root" else [name] for name in everybody}


def test_a_server_that_shows_everybody_everything_is_caught(bare: Callable[..., Watched]) -> None:
    played = bare("everybody").play("remapped")

    assert "host-root" in played.reads["first-root"]
    assert "second-root" in played.reads["first-root"]


def test_an_abstract_socket_has_credentials_and_no_permissions(bare: Callable[..., Watched]) -> None:
    """Everybody in the network namespace gets in; who it was is known all the same."""
    assert faults(bare(socket=f"@observatory-{os.getpid()}").play("passed"), 1) == []
