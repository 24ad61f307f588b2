"""A client sees who called listen(), when that was; not who accepts, and not whose the file is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.cast import CAST
from tests.integration.identity.conftest import CLIENTS, ENVIRONMENT, SOCKET

if TYPE_CHECKING:
    from harness.place import Place


def test_a_client_sees_whoever_called_listen_last(place: Place) -> None:
    place.build(CAST)
    done = place.run(["python3", "-c", CLIENTS, SOCKET], CAST.principal("root"), environment=ENVIRONMENT)
    assert done.status == 0, done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]

    assert len(steps) == 6
    assert [step["seen"] for step in steps] == [step["due"] for step in steps]
    # The owner of the file says nothing: it is root all the while, as it would be after a chown.
    assert {step["owner"] for step in steps} == {0}
    assert len({step["seen"]["uid"] for step in steps}) == 3
