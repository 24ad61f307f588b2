"""What decides here, captured as a world, decides alike where that is run."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.trials.run import run_world
from harness.world import loads
from tests.integration.explain.cases import CASES, Case
from tests.integration.explain.stage import staged
from tests.integration.explain.test_cases import filled, printed

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.world import World

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="other users and mounts take root on Linux"
)
TOLD = {
    "uwsgi-queue": "full",
    "queue-of-another": "full",
    "docker-sock-replaced": "absent",
    "fuse-root": "fuse",
    "fuse-own": "fuse",
    "fuse-mirror": "fuse",
    "x11-abstract": "elsewhere",
}
"""Cases, and the word without which their world would be another one."""


@functools.cache
def captured(case: Case) -> World | str:
    """The world of a case, or what is said instead."""
    with staged() as stage:
        values = printed(stage.run(case.setup))
        who = (filled(word, values) for word in case.who)
        output = stage.temporary / "world.toml"
        path = filled(case.path, values)
        words = ["capture", path, *who, "--operation", case.operation, "-o", str(output)]
        done = stage.enter(sys.executable, "-m", "harness", *words)
        return loads(output.read_text(encoding="utf-8")) if done.returncode == 0 else done.stderr


def case_of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("name", TOLD)
def test_a_captured_case_is_the_same_in_a_place(place: Place, name: str) -> None:
    case = case_of(name)
    if case.needs and not (Path("/dev/fuse").exists() and shutil.which("bindfs")):
        pytest.skip("this machine has no bindfs or no /dev/fuse")
    world = captured(case)
    assert not isinstance(world, str), world
    assert world.attempts[0].expect == case.kernel
    assert TOLD[name] in {word for node in world.nodes for word in (node.kind, node.fs, node.state, node.network)}
    if any(node.fs == "fuse" for node in world.nodes) and not place.facts.fuse:
        pytest.skip(f"the {place.facts.engine} engine has no FUSE mounts here")
    run = run_world(world, place, "")
    assert run.agree, [text for verdict in run.verdicts for text in verdict.differences]


def test_a_captured_process_that_is_older_than_its_group_is_no_account_of_the_world(place: Place) -> None:
    """What is done for the account would not help it: in the world it is told, as here, to be started anew."""
    world = captured(case_of("docker-before-login"))
    assert not isinstance(world, str), world
    assert world.attempts[0].user == "ali-before"
    assert world.user("ali").groups == ("docker",)
    run = run_world(world, place, "")
    assert run.agree, [text for verdict in run.verdicts for text in verdict.differences]
    first, *others = (change.text for change in run.verdicts[0].decision.changes)
    assert first == "log in again: another session of uid 1000 has the group docker already"
    assert not any("before" in text or "usermod" in text for text in others)


def test_what_no_world_can_say_is_not_captured() -> None:
    """sshfs holds nobody to the modes that it shows."""
    case = case_of("sshfs-0700")
    if not (Path("/dev/fuse").exists() and shutil.which("sshfs")):
        pytest.skip("this machine has no sshfs or no /dev/fuse")
    said = captured(case)
    assert isinstance(said, str)
    assert "a world file can't express what decides here" in said
