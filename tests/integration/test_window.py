"""The socket is never open wider than asked, from the first moment of its name on."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.engines import bundle
from tests.integration.cast import CAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from tests.integration.conftest import Server

STARTS = 10


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777], ids=lambda umask: f"umask-{umask:03o}")
def test_a_stranger_who_hammers_connect_during_every_start_never_gets_in(
    place: Place, serve: Callable[..., Server], tally: Tally, umask: int
) -> None:
    place.build(CAST)
    path = "/tmp/observatory.sock"
    stranger = place.start(bundle.COMMAND, CAST.principal("mallory"))
    stranger.send(bundle.delivery("tests.integration.hammer", path=path))
    stranger.read_line()
    for _ in range(STARTS):
        server = serve("--socket", path, "--mode", "0600", umask=umask)
        assert server.end().status == 0
    with contextlib.suppress(BrokenPipeError):  # it got in, and has ended
        stranger.send("\n")
    said = stranger.wait().stdout.strip()
    attempts, refused = (int(part.split()[0]) for part in said.rpartition("\n")[2].split(", "))
    tally(cases=1, attempts=attempts)
    assert "in after" not in said, f"mallory got in while the server with --mode 0600 and umask {umask:03o} started"
    assert refused, "mallory never met the socket, so that nothing was tried"
