"""Without root: an ordinary user with a range in /etc/subuid makes places too, and sees the same in them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from harness.world import Node, User, World, complete, dumps
from tests.integration.engines.worlds import COMMON, EXPECTED
from tests.integration.ordinary import ENVIRONMENT, OUTSIDE, machine_of_dev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.engines.protocol import Completed, Place


@pytest.fixture(scope="module")
def machine(need: Callable[[str, str], str]) -> Iterator[Place]:
    """A place that stands for a machine: in it, dev is an ordinary user and the harness is installed."""
    if sys.platform != "linux":
        pytest.skip("user namespaces are Linux's")
    need("newuidmap", "uidmap")
    with machine_of_dev() as place:
        yield place


def harness(machine: Place, *arguments: str, text: str = "") -> Completed:
    """Run the harness in that machine as dev."""
    dev = OUTSIDE.principal("dev")
    if text:
        assert machine.run(["tee", "/home/dev/world.toml"], dev, input=text).status == 0
    command = ["python3", "-c", "import sys; from harness.cli.main import main; sys.exit(main())", *arguments]
    return machine.run(command, dev, environment=ENVIRONMENT, directory="/home/dev", timeout=120)


def test_an_ordinary_user_observes_what_root_observes(machine: Place) -> None:
    done = harness(machine, "run", "world.toml", "--engine", "namespace", "--json", text=dumps(COMMON))
    *rows, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert summary["disagreements"] == 0, done.stderr
    assert [(row["user"], row["operation"], row["path"], row["observed"]["outcome"]) for row in rows] == [
        expected[:4] for expected in EXPECTED
    ]


def test_an_ordinary_user_sweeps_the_grid_without_a_disagreement(machine: Place) -> None:
    done = harness(machine, "sweep", "--engine", "namespace", "--shard", "3/256", "--worlds", "2560", "--json")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["disagreements"], done.status) == (0, 0)


def test_an_id_outside_of_the_range_is_said(machine: Place) -> None:
    far = complete(World("far", users=(User("root", 0, 0),), nodes=(Node("/tmp/x", "file", owner=70_000),)))
    done = harness(machine, "run", "world.toml", "--engine", "namespace", text=dumps(far))
    assert done.status == 69
    assert (
        "the file /tmp/x cannot be made here: uid 70000 is not one of this place's, which end at 65535" in done.stderr
    )


def test_without_a_range_it_is_said_what_is_missing(machine: Place) -> None:
    move = ["mv", "/etc/subuid", "/etc/subuid.away"]
    assert machine.run(move, OUTSIDE.principal("root")).status == 0
    try:
        done = harness(machine, "sweep", "--engine", "namespace")
    finally:
        machine.run(["mv", "/etc/subuid.away", "/etc/subuid"], OUTSIDE.principal("root"))
    assert done.status == 69
    assert "/etc/subuid" in done.stderr
    assert "Traceback" not in done.stderr
