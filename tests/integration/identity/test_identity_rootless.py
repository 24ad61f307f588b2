"""Without root: an ordinary user plays the cases in a place of the user's own, and servers answer the same there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.registry import choose
from tests.helpers.installation import ROOT, SOURCE, libraries
from tests.integration.identity.rootless import PLAYED
from tests.integration.ordinary import ENVIRONMENT, OUTSIDE, machine_of_dev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Place

UNPLAYABLE = {
    "large-ids": "nobody can be uid 2147483647 in 1 groups here: Invalid argument",
    "remapped": "no namespace of the users from 100000 on can be made here: Operation not permitted",
    "many-groups": "nobody can be uid 1501 in 1 groups here: Invalid argument",
}
"""What needs numbers that are not in the range of 65,536 which an ordinary user is given. (So does the server of the
case `rootless`.) There 65534 is not nobody but unknown, as in `test_identity_unknown.py`."""


@pytest.fixture
def machine(need: Callable[[str, str], str]) -> Iterator[Place]:
    """A place that stands for a machine: in it, dev is an ordinary user, and this suite is installed."""
    if sys.platform != "linux":
        pytest.skip("user namespaces are Linux's")
    need("newuidmap", "uidmap")
    tests, source = f"{ROOT / 'tests'}:/opt/source/tests", f"{SOURCE}:/opt/source/observatory"
    with machine_of_dev(tests, source, f"{libraries(choose('namespace'))}:/opt/core") as place:
        yield place


def play(machine: Place) -> list[dict[str, Any]]:
    """Let dev play all cases."""
    done = machine.run(
        ["python3", "-m", "tests.integration.identity.rootless", "/opt/source/observatory", "/opt/core"],
        OUTSIDE.principal("dev"),
        environment=ENVIRONMENT,
        directory="/home/dev",
        timeout=200,
    )
    assert done.status == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_ordinary_users_servers_name_the_connector_and_those_with_a_mistake_are_caught(machine: Place) -> None:
    rows = {row["case"]: row for row in play(machine)}

    assert rows.keys() == {case.name for case in PLAYED}
    assert {name: row["unplayable"] for name, row in rows.items() if row["unplayable"]} == UNPLAYABLE
    for name in rows.keys() - UNPLAYABLE.keys():
        faults = rows[name]["faults"]
        assert faults["mistake"] != [], name
        if name == "nobody":
            for (fault,) in (faults["observatory"], faults["bare"]):
                assert "uid 65534" in fault.partition("the server says")[0]
                assert "uid None, gid None, groups None" in fault.partition("the server says")[2]
        else:
            assert (faults["observatory"], faults["bare"]) == ([], []), name
