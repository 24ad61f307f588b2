"""A client sees who called listen(), when that was; not who accepts, and not whose the file is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines import bundle
from tests.integration.identity.conftest import ENVIRONMENT, ROOT

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from tests.integration.identity.conftest import Stage


@pytest.fixture(scope="module")
def steps(stage: Stage, place: Place) -> list[dict[str, Any]]:
    """What a client learns at each step of a listener's life: from the kernel, and by two ways that are wrong."""
    program = bundle.delivery("tests.integration.identity.clients", path="/tmp/listener.sock")
    done = place.run(["python3", "-c", bundle.START], ROOT, input=program, environment=ENVIRONMENT)
    assert done.status == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def faults(steps: list[dict[str, Any]], by: str) -> list[str]:
    """The steps at which a client that goes by this is wrong about the user it talks to."""
    assert len(steps) == 6
    return [step["step"] for step in steps if step[by]["uid"] != step["due"]["uid"]]


def test_a_client_sees_whoever_called_listen_last(steps: list[dict[str, Any]]) -> None:
    assert [step["seen"] for step in steps] == [step["due"] for step in steps]
    assert len({step["seen"]["uid"] for step in steps}) == 3


def test_a_client_that_takes_the_files_owner_for_the_listener_is_caught(steps: list[dict[str, Any]]) -> None:
    """The file is root's all the while, as it would be after a chown by whoever hands the socket on."""
    assert faults(steps, "owner") == [
        "bob listens again on the same socket",
        "mallory has inherited the socket and listens",
        "the file is root's, the listener is not",
    ]


def test_a_client_that_takes_whoever_accepts_for_the_listener_is_caught(steps: list[dict[str, Any]]) -> None:
    assert "mallory has inherited the socket and listens" in faults(steps, "acceptor")
    assert "root has become bob since" in faults(steps, "acceptor")
