"""Filters, domains and profiles on each kernel: outcome and deciding layer, with the kernel's own record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli.main import main
from harness.engines.protocol import PlaceError
from harness.engines.vm.kernels import chosen
from harness.oracle import rules_of
from harness.trials.verdict import judge
from harness.world import Attempt, Confinement, Principal
from tests.helpers.confined_worlds import (
    LANDLOCK,
    NONE,
    OPEN,
    PEERS,
    PROFILES,
    RESOLVING,
    SECCOMP,
    SINCE,
    UNASKED,
    agree,
    asks,
    confined,
)
from tests.helpers.harness_command import ENVIRONMENT
from tests.mutants.oracles import WRONG_OF_PEERS, WRONG_OF_PROFILES, WRONG_OF_RESOLVING
from tests.platforms.kernels.expectations import version

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.world import World
    from tests.mutants.oracles import WrongOracle

REFER = (5, 19)
"""Before, a domain kept all files in their directories with EXDEV (ABI 1), which is not looked at here."""
PEERS_SINCE = (6, 17)
ROOT = Principal(0, 0)
PATIENT = """
import sys
from harness.cli.main import main
from harness.live import components
components.SECONDS = 60.0
sys.exit(main(sys.argv[1:]))
"""
"""The command, which waits longer for what it looks at: the machine is emulated."""
BOTH = frozenset({"seccomp", "AppArmor"})


@pytest.mark.parametrize("name", SECCOMP)
def test_a_filter(held_place: Place, name: str) -> None:
    calls, attempt, layer = SECCOMP[name]
    agree(held_place, confined(Confinement(tuple(sorted(calls.items()))), attempt), layer)


@pytest.mark.parametrize("name", [*LANDLOCK, *RESOLVING])
def test_a_domain(held_place: Place, name: str) -> None:
    rights, attempt, layer = {**LANDLOCK, **RESOLVING}[name]
    world = confined(Confinement(landlock=rights), attempt)
    here = version(held_place.facts.kernel)
    if here < max(SINCE[right] for right in rights):
        held_place.build(world)
        with pytest.raises(PlaceError, match="no process can be confined so in this place"):
            held_place.attempt(world.attempts)
    elif attempt.operation != "rename" or here >= REFER:
        agree(held_place, world, layer)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile(held_place: Place, name: str) -> None:
    rules, attempt, layer = PROFILES[name]
    agree(held_place, confined(Confinement(apparmor=tuple(sorted(rules))), attempt), layer)


@pytest.mark.parametrize("name", PEERS)
def test_a_profile_is_asked_about_connections_where_the_kernel_asks(held_place: Place, name: str) -> None:
    asked = held_place.facts.sysctls.get("apparmor.af_unix", 0) == 1
    assert asked == (version(held_place.facts.kernel) >= PEERS_SINCE)
    rules, attempt, layer = (PEERS if asked else UNASKED)[name]
    agree(held_place, confined(Confinement(apparmor=tuple(sorted(rules))), attempt), layer)


@pytest.mark.parametrize(
    ("held", "outcome", "layer"),
    [
        (Confinement((("connect", "EPERM"),), apparmor=()), "EACCES", "AppArmor"),
        (Confinement((("socket", "EAFNOSUPPORT"),), apparmor=()), "EAFNOSUPPORT", "seccomp"),
        (Confinement((("connect", "EPERM"),), apparmor=NONE), "EPERM", "seccomp"),
    ],
)
def test_a_filter_and_a_profile(held_place: Place, held: Confinement, outcome: str, layer: str) -> None:
    """The socket is made first, and of that the filter is asked first."""
    assert layer in BOTH
    agree(held_place, confined(held, asks("connect", "/open/live", outcome)), layer)


def test_the_kernel_itself_names_the_profile_and_the_path(held_place: Place) -> None:
    world = confined(Confinement(apparmor=NONE), asks("bind", "/open/recorded", "EACCES"))
    held_place.build(world)
    held_place.attempt(world.attempts)
    said = held_place.run(["dmesg"], ROOT, timeout=120).stdout
    (line,) = (line for line in said.splitlines() if 'name="/open/recorded"' in line)
    assert 'apparmor="DENIED" operation="mknod"' in line
    assert 'requested_mask="c" denied_mask="c" fsuid=33' in line


def worlds(place: Place) -> tuple[list[World], tuple[WrongOracle, ...]]:
    """All of profiles that this kernel can show, and of domains over connections; and the oracles that they find."""
    asked = place.facts.sysctls.get("apparmor.af_unix", 0) == 1
    profiles = {**PROFILES, **(PEERS if asked else UNASKED)}.values()
    made = [confined(Confinement(apparmor=tuple(sorted(rules))), attempt) for rules, attempt, _ in profiles]
    wrong = (*WRONG_OF_PROFILES, *(WRONG_OF_PEERS if asked else ()))
    if version(place.facts.kernel) >= SINCE["resolve"]:
        made += [confined(Confinement(landlock=rights), attempt) for rights, attempt, _ in RESOLVING.values()]
        wrong += WRONG_OF_RESOLVING
    return made, wrong


def test_a_world_finds_each_wrong_oracle(held_place: Place) -> None:
    made, wrong = worlds(held_place)
    rules = rules_of(held_place.facts)
    seen = []
    for world in made:
        held_place.build(world)
        seen.append(held_place.attempt(world.attempts)[0])
    unfound = [
        one.name
        for one in wrong
        if not any(
            judge(world.attempts[0], one(world, world.attempts, rules)[0], observation).differences
            for world, observation in zip(made, seen, strict=True)
        )
    ]
    assert unfound == []


@pytest.mark.parametrize(
    ("held", "operation", "path", "said"),
    [
        (Confinement(apparmor=NONE), "bind", "/open/new", "EACCES at /open/new"),
        (Confinement(apparmor=OPEN), "bind", "/open/new", "ok"),
        (Confinement(apparmor=()), "connect", "/open/live", "EACCES at /open/live"),
        (None, "bind", "/open/new", "ok"),
        (Confinement(apparmor=("/open/* w",)), "mkdir", "/open/new", "EACCES at /open/new"),
        (Confinement(apparmor=OPEN), "create", "/open/new", "ok"),
        (Confinement(apparmor=NONE), "truncate", "/open/file", "EACCES at /open/file"),
        (Confinement(apparmor=("deny /open/other/ r",)), "list", "/open/other", "EACCES at /open/other"),
        (Confinement(apparmor=("deny /open/program x",)), "execute", "/open/program", "EACCES at /open/program"),
    ],
)
def test_explain_has_the_kernels_answer(
    held_place: Place, held: Confinement | None, operation: str, path: str, said: str
) -> None:
    world = confined(held or Confinement(), Attempt("web", "connect", "/open/live"))
    held_place.build(world)
    process = held_place.start(["sleep", "600"], Principal(33, 33, confined=held))
    try:
        words = ["explain", path, "--operation", operation, "--pid", str(process.pid)]
        done = held_place.run(["python3", "-c", PATIENT, *words], ROOT, environment=ENVIRONMENT, timeout=300)
    finally:
        process.signal(9)
        process.wait()
    first = done.stdout.splitlines()[0].rpartition(": ")[2]
    assert first in {said, f"{said} but for Landlock, not looked at"}, done.stdout + done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith("  layer  AppArmor"))
    assert ("refused" if said != "ok" else "passed") in row
    assert ("(unconfined, or complain)" in row) == (held is None)


def test_modules_that_are_not_known_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen("sid:landlock,apparmor") == ("sid", ("landlock", "apparmor"))
    for image, said in (
        ("sid:apparmour", "no security module is known by the name 'apparmour'"),
        ("sid:apparmor,selinux", "a kernel asks AppArmor or SELinux, not both"),
    ):
        assert main(["run", "docker-sock-gid-mismatch", "--engine", "vm", "--image", image]) == 69
        assert said in capsys.readouterr().err
