"""The socket is never open wider than asked, from the first moment of its name on."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.subjects import SUBJECTS
from harness.testbed.testbed import Testbed
from tests.helpers.installation import environment
from tests.integration.cast import CAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from tests.integration.conftest import Server

SOCKET = "/tmp/observatory.sock"
SECONDS = 300.0
"""For one start that is taken step by step, on a machine that may be emulated."""
STARTS = 1 if sys.platform == "linux" else 10
"""Starts at full speed: where one can be taken step by step, that misses nothing."""
UMASKS = pytest.mark.parametrize("umask", [0o000, 0o022, 0o777], ids=lambda umask: f"umask-{umask:03o}")


@UMASKS
@pytest.mark.skipif(sys.platform != "linux", reason="the probe that takes a start step by step knows Linux's ptrace(2)")
def test_nobody_gets_in_at_any_step_of_a_start(place: Place, tally: Tally, umask: int) -> None:
    nobody_gets_in_at_any_step(place, tally, umask)


def nobody_gets_in_at_any_step(place: Place, tally: Tally, umask: int, source: str = "source") -> None:
    """Take a start of the server, or of a copy of it, step by step."""
    server = replace(SUBJECTS["observatory"], environment=environment(source=source))
    testbed = Testbed(place, server, mode=0o600, owner="alice", group=None)
    testbed.lay("tmp")
    steps = testbed.probe(
        "steps",
        endpoint=testbed.endpoint,
        speaks=server.speaks,
        order=testbed.order(umask=umask),
        outsiders=[testbed.person(name) for name in ("colleague", "member", "stranger")],
        seconds=SECONDS,
        timeout=2 * SECONDS,
    )
    tally(cases=1, attempts=steps["tries"])
    assert steps["untraceable"] is None
    passed = sorted({breach["who"] for breach in steps["breaches"]})
    assert not passed, f"{', '.join(passed)} got in while the server with --mode 0600 and umask {umask:03o} started"
    assert steps["ready"], "the server never answered"
    assert steps["modes"] == ["0000", "0600"], "the mode did not change from none to what was asked for"


@UMASKS
def test_a_stranger_who_hammers_connect_during_every_start_never_gets_in(
    place: Place, serve: Callable[..., Server], tally: Tally, umask: int
) -> None:
    place.build(CAST)
    stranger = place.call("tests.integration.hammer", CAST.principal("mallory"), path=SOCKET)
    assert stranger.read_line() == "hammering"
    got_in = f"mallory got in while the server with --mode 0600 and umask {umask:03o} started"
    for number in range(STARTS):
        server = serve("--socket", SOCKET, "--mode", "0600", umask=umask)
        if number == 0:
            assert stranger.read_line(timeout=SECONDS) == "refused", got_in
        assert server.end().status == 0
    with contextlib.suppress(BrokenPipeError):  # it got in, and has ended
        stranger.send("\n")
    said = stranger.wait().stdout.strip()
    tally(cases=1, attempts=int(said.rpartition("\n")[2].split()[0]))
    assert "in after" not in said, got_in
