"""Worlds with users in SELinux domains, on each kernel: outcome and deciding layer, held against its own records."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from harness.engines.registry import choose
from harness.oracle import predict, rules_of
from harness.trials.random_sweep import draw
from harness.trials.verdict import judge
from harness.world import Confinement, Principal, dumps
from tests.helpers.harness_command import ENVIRONMENT, MOUNTS
from tests.helpers.policy_worlds import (
    NAMES,
    OWN,
    PERMISSIVE,
    WAY,
    Seen,
    look,
    policed,
    pool,
    since,
    typed,
    unheld,
    worlds,
)
from tests.mutants.oracles import WRONG_OF_LANDLOCKED, WRONG_OF_POLICIES
from tests.platforms.kernels.expectations import ALWAYS, version
from tests.platforms.kernels.test_modules import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.engines.protocol import Place
    from harness.oracle import Rules
    from harness.pytest_plugin.fixtures import Tally

pytestmark = pytest.mark.timeout(1800)  # the first of a kernel's tests asks it for all worlds
ROOT = Principal(0, 0)
RANDOM = 50
HELD, MUTE, BINDING, LAX = (
    Confinement(selinux=tuple(sorted(rules)))
    for rules in ((OWN, WAY), (), (OWN, NAMES, "open_t:sock_file create"), ("permissive",))
)
"""As some of the worlds have them."""
EXPLAINED = (
    (HELD, "connect", "/open/live", "EACCES at /open/live"),
    (HELD, "connect", "/held/live", "EACCES at /held"),
    (HELD, "bind", "/open/new", "EACCES at /open"),
    (MUTE, "connect", "/closed/live", "EACCES at /closed/live"),
    (BINDING, "bind", "/open/new", "ok"),
    (LAX, "bind", "/held/new", "ok"),
    (None, "bind", "/held/new", "ok"),
)
"""Who asks, for what, and the first line of the answer."""


class Kernel(NamedTuple):
    """What a kernel has done, by its rules."""

    place: Place
    rules: Rules
    seen: dict[str, Seen]


@pytest.fixture(scope="session")
def policed_kernel(kernel: str) -> Iterator[Kernel]:
    """A machine whose kernel is told to ask SELinux, when it has been asked for all of the worlds."""
    with choose("vm").open(image=f"{kernel}:landlock,selinux", mounts=MOUNTS) as place:
        yield Kernel(place, rules_of(place.facts), look(place, version(place.facts.kernel)))


@pytest.mark.parametrize("name", worlds())
def test_a_domain(policed_kernel: Kernel, name: str) -> None:
    seen = policed_kernel.seen.get(name)
    if seen is None:
        assert version(policed_kernel.place.facts.kernel) < since(worlds()[name][0])
        return
    decisions = predict(seen.world, seen.world.attempts, policed_kernel.rules)
    assert seen.differences(decisions) == ()
    assert decisions[-1].layer == seen.layer


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (world, layer) in worlds().items()
        if layer == "SELinux" and len(world.attempts) == 1 and since(world) == ALWAYS
    ],
)
def test_without_the_domain_something_else_decides(policed_kernel: Kernel, name: str) -> None:
    assert unheld(policed_kernel.place, policed_kernel.seen[name].world).layer != "SELinux"


def test_what_a_permissive_domain_may_not_is_recorded(policed_kernel: Kernel) -> None:
    for name, (_, _, layer) in PERMISSIVE.items():
        denials = policed_kernel.seen[name].denials
        assert all(denial.permissive for denial in denials)
        assert denials or layer == "path"


def test_a_world_finds_each_wrong_oracle(policed_kernel: Kernel) -> None:
    place, rules, seen = policed_kernel
    both = version(place.facts.kernel) >= max(since(world) for world, _ in worlds().values())
    unfound = [
        wrong.name
        for wrong in (*WRONG_OF_POLICIES, *(WRONG_OF_LANDLOCKED if both else ()))
        if not any(one.differences(wrong(one.world, one.world.attempts, rules)) for one in seen.values())
    ]
    assert unfound == []


@pytest.mark.parametrize(("held", "operation", "path", "said"), EXPLAINED)
def test_explain_has_the_kernels_answer(
    policed_kernel: Kernel, held: Confinement | None, operation: str, path: str, said: str
) -> None:
    place = policed_kernel.place
    place.build(policed([HELD if held is None else held]))
    process = place.start(["sleep", "600"], Principal(33, 33, confined=held))
    try:
        words = ["explain", path, "--operation", operation, "--pid", str(process.pid)]
        done = place.run(["python3", "-c", PATIENT, *words], ROOT, environment=ENVIRONMENT, timeout=300)
    finally:
        process.signal(9)
        process.wait()
    first = done.stdout.splitlines()[0].rpartition(": ")[2]
    assert first in {said, f"{said} but for Landlock, not looked at"}, done.stdout + done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("  layer  SELinux"))
    assert ("refused" if said != "ok" else "passed") in row


def test_random_worlds_whose_users_are_in_domains(policed_kernel: Kernel, tally: Tally) -> None:
    place, rules, _ = policed_kernel
    chance = random.Random(21)
    domains = pool(chance)
    place.build(policed(domains))
    attempts = 0
    for drawn in draw(RANDOM, 21):
        world = typed(drawn, domains, chance)
        place.build(world)
        decisions = predict(world, world.attempts, rules)
        for verdict in map(judge, world.attempts, decisions, place.attempt(world.attempts)):
            assert verdict.differences == (), dumps(world)
            attempts += 1
    tally(cases=RANDOM, attempts=attempts)
