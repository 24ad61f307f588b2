"""Every known problem happens as its file says, and `harness explain` on the spot names its cause."""

from __future__ import annotations

import contextlib
import re
import signal
from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.report.run_terminal import text_of_run
from harness.scenarios import Scenario, library
from harness.trials.run import run_world
from harness.world import Principal
from tests.helpers.harness_command import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from harness.world import Attempt, World

UNSEEN = "no open socket is to be seen there, but processes outside of this pid namespace are not to be seen"

every_scenario = pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=scenario.source) for scenario in library()]
)


@every_scenario
def test_the_kernel_the_oracle_and_the_scenario_say_the_same(place: Place, scenario: Scenario, tally: Tally) -> None:
    run = run_world(scenario.world, place, f"harness run {scenario.source}", scenario.story)
    tally(attempts=len(run.verdicts))
    assert run.agree, text_of_run(run)


@every_scenario
def test_explain_on_the_spot_names_the_same_component_and_cause(place: Place, scenario: Scenario, tally: Tally) -> None:
    world = scenario.world
    place.build(world)
    for attempt, decision in zip(world.attempts, predict(world, world.attempts, rules_of(place.facts)), strict=True):
        with waiting(place, world, attempt) as pid:
            told = explain(place, *words(attempt), "--pid", str(pid))
        where = None if told.at is None else outside(told.at, attempt.root)
        if told.outcome == "not known":  # a listener may be in another pid namespace: nobody can say 'stale' in here
            assert UNSEEN in told.text, told.text
            assert (decision.outcome, decision.at) == ("ECONNREFUSED", where), told.text
            continue
        assert told.outcome == decision.outcome, told.text
        assert where == (None if decision.outcome == "ok" else decision.at), told.text
        assert told.status == (0 if decision.outcome == "ok" else 1)
        assert without_names(told.why) == without_names(inside(decision.why, attempt.root)), told.text
        assert decision.applied is None or any(
            words in told.text for words in (f"The class {decision.applied} applies", f"  class  {decision.applied}")
        )
        place.attempt([attempt])
        tally(explanations=1)


@contextlib.contextmanager
def waiting(place: Place, world: World, attempt: Attempt) -> Iterator[int]:
    """A process of the one who attempts, standing where they stand: its pid."""
    who = world.principal(attempt.user)
    if attempt.root is None and attempt.network is None:
        process = place.start(["sleep", "600"], who, directory=attempt.cwd or "/")
    else:  # only root goes there, and then becomes who attempts
        net = [] if attempt.network is None else ["nsenter", f"--net=/run/netns/{attempt.network}"]
        groups = ",".join(map(str, who.groups))
        standing = [attempt.root or "/", str(who.uid), str(who.gid), groups]
        process = place.start([*net, "python3", "-c", STAND, *standing], Principal(0, 0))
        assert process.read_line() == "standing"
    try:
        yield process.pid
    finally:
        process.signal(signal.SIGKILL)
        process.wait()


STAND = """
import os, signal, sys
root, uid, gid, groups = sys.argv[1:]
os.chroot(root)
os.chdir("/")
os.setgroups([int(group) for group in groups.split(",") if group])
os.setresgid(int(gid), int(gid), int(gid))
os.setresuid(int(uid), int(uid), int(uid))
print("standing", flush=True)
signal.pause()
"""


def words(attempt: Attempt) -> list[str]:
    """An attempt as arguments of `harness explain`."""
    arguments = [attempt.path, "--operation", attempt.operation]
    if attempt.to is not None:
        arguments += ["--to", attempt.to]
    if attempt.operation in {"connect", "bind"}:
        arguments += ["--type", attempt.type]
    return arguments


def without_names(sentence: str) -> str:
    """A reason by its numbers alone: a world may give two names to one uid, and a machine knows more names.

    How many wait in a queue is the machine's to tell too.
    """
    return re.sub(r" \([a-z][\w-]*\)|^[A-Za-z][\w-]*|: \d+ wait where \d+ may", "", sentence)


def outside(path: str, root: str | None) -> str:
    """A path below a root directory as it is called outside."""
    return path if root is None else root + path.rstrip("/")


def inside(sentence: str, root: str | None) -> str:
    """A sentence with the paths that who has that root directory would tell."""
    return sentence if root is None else sentence.replace(root, "")
