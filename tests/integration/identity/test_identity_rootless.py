"""Without root: an ordinary user plays the cases in a place of the user's own, and servers answer the same there."""

from __future__ import annotations

import json
import sysconfig
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines import choose
from harness.images import tree
from harness.world import Node, User, World, complete
from tests.integration.conftest import ROOT, SOURCE
from tests.integration.identity.rootless import PLAYED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.place import Place

MACHINE = complete(
    World(
        "machine-with-a-user-who-has-subordinate-ids",
        users=(User("root", 0, 0), User("dev", 1000, 1000)),
        nodes=(Node("/home/dev", "directory", "dev", "dev", 0o755),),
    )
)
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
    need("newuidmap", "uidmap")
    engine = choose("namespace")
    mounts = [
        f"{ROOT / 'harness'}:/opt/source/harness",
        f"{ROOT / 'tests'}:/opt/source/tests",
        f"{SOURCE}:/opt/source/observatory",
        f"{sysconfig.get_path('purelib')}:/opt/libraries",
        f"{tree(ROOT / 'locks' / 'core.txt', engine)}:/opt/core",
    ]
    with engine.open(mounts=mounts) as place:
        place.build(MACHINE)
        for name in ("subuid", "subgid"):
            write = f"echo dev:100000:65536 > /etc/{name}"
            assert place.run(["sh", "-c", write], MACHINE.principal("root")).status == 0
        yield place


def play(machine: Place) -> list[dict[str, Any]]:
    """Let dev play all cases."""
    done = machine.run(
        ["python3", "-m", "tests.integration.identity.rootless", "/opt/source/observatory", "/opt/core"],
        MACHINE.principal("dev"),
        environment={"PYTHONPATH": "/opt/source:/opt/libraries", "HOME": "/home/dev", "PYTHONDONTWRITEBYTECODE": "1"},
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
