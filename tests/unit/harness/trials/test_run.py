from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.engines.protocol import Facts, Observation
from harness.scenarios import find
from harness.trials.run import EXPLAINED, judge_run, run_world
from harness.world import loads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.engines.protocol import Place
    from harness.world import Attempt, World

UNPROTECTED = Facts("none", "6.18", "x86_64", "3.11", {"fs.protected_symlinks": 0})
WORLD = """
name = "w"
[users.ali]
uid = 1000
[[nodes]]
path = "/run/s"
kind = "socket"
mode = "0600"
[[attempts]]
user = "ali"
operation = "connect"
path = "/run/s"
expect = "EACCES"
at = "/run/s"
"""


class Kernel:
    """A place whose kernel does as it is told beforehand."""

    facts = UNPROTECTED

    def __init__(self, *observations: Observation) -> None:
        self._observations = observations
        self.built: World | None = None

    def build(self, world: World) -> None:
        self.built = world

    def attempt(self, attempts: Sequence[Attempt]) -> list[Observation]:
        assert self.built is not None
        return list(self._observations)


def kernel(*observations: Observation) -> Place:
    return Kernel(*observations)  # type: ignore[return-value]


def test_what_the_kernel_does_is_held_against_the_oracle_and_the_claim() -> None:
    run = run_world(loads(WORLD), kernel(Observation("EACCES", "/run/s")), "again")
    assert run.agree
    assert run.reproduce == "again"
    assert run.verdicts[0].decision.changes


def test_a_kernel_that_lets_a_stranger_in_is_seen() -> None:
    run = run_world(loads(WORLD), kernel(Observation("ok")), "again")
    assert not run.agree
    assert run.verdicts[0].differences == (
        "ali connect /run/s: the oracle says EACCES, the kernel did ok",
        "ali connect /run/s: the world expects EACCES, the kernel did ok",
    )


def test_a_wrong_claim_is_seen_though_oracle_and_kernel_agree() -> None:
    world = loads(WORLD.replace('"EACCES"', '"ok"').replace('at = "/run/s"', ""))
    run = run_world(world, kernel(Observation("EACCES", "/run/s")), "again")
    assert run.verdicts[0].differences == (
        "ali connect /run/s: not as the world expects: it says ok, and oracle and kernel say EACCES",
    )
    assert run.verdicts[0].unexpected
    assert not run.agree


def test_a_refusal_elsewhere_than_claimed_is_no_disagreement_of_oracle_and_kernel() -> None:
    run = run_world(
        loads(WORLD.replace('at = "/run/s"', 'at = "/run"')), kernel(Observation("EACCES", "/run/s")), "again"
    )
    assert run.verdicts[0].unexpected
    assert (
        run.verdicts[0]
        .differences[0]
        .endswith("not as the world expects: it says that /run refuses, and oracle and kernel say that /run/s does")
    )


def test_where_oracle_and_kernel_part_the_claim_is_not_all_that_is_not_met() -> None:
    assert not run_world(loads(WORLD), kernel(Observation("ok")), "again").verdicts[0].unexpected


def test_a_claim_about_another_setting_is_held_against_the_oracle_alone_and_that_is_said() -> None:
    world = find("symlink-in-tmp-protected").world
    run = judge_run(world, UNPROTECTED, [Observation("ok")] * 4, "again")
    assert run.agree
    assert len(run.notices) == 2
    assert run.notices[0] == (
        "follower connect /tmp/app.sock: the world is about fs.protected_symlinks=1 (EACCES); here it is "
        "fs.protected_symlinks=0 (ok), so the kernel was not asked about the world's claim"
    )
    assert [verdict.attempt for verdict in run.verdicts] == list(world.attempts)


def test_a_wrong_claim_about_another_setting_is_seen_all_the_same() -> None:
    world = find("symlink-in-tmp-protected").world
    liar = replace(world, attempts=(replace(world.attempts[0], expect="ok", at=None), *world.attempts[1:]))
    run = judge_run(liar, UNPROTECTED, [Observation("ok")] * 4, "again")
    assert not run.agree
    assert run.verdicts[0].unexpected
    elsewhere = replace(world, attempts=(replace(world.attempts[0], at="/tmp"), *world.attempts[1:]))
    run = judge_run(elsewhere, UNPROTECTED, [Observation("ok")] * 4, "again")
    assert run.verdicts[0].differences == (
        "the world expects the refusal at /tmp, with fs.protected_symlinks=1 the oracle says /tmp/app.sock",
    )


def test_another_system_is_held_against_its_own_rules_and_the_claim_against_those_that_it_is_about() -> None:
    """A macOS kernel asks whether it is a socket before it asks for permission."""
    world = loads(WORLD.replace('kind = "socket"', 'kind = "file"'))
    mac = replace(UNPROTECTED, system="Darwin", kernel="25.1.0", sysctls={})
    run = judge_run(world, mac, [Observation("ENOTSOCK", "/run/s")], "again")
    assert run.agree
    (notice,) = run.notices
    assert notice == (
        "ali connect /run/s: the world is about Linux (EACCES); here it is Darwin (ENOTSOCK), so the kernel was not "
        "asked about the world's claim"
    )
    assert not judge_run(world, mac, [Observation("EACCES", "/run/s")], "again").agree


def test_a_kernel_that_does_not_follow_its_own_setting_is_seen() -> None:
    world = find("symlink-in-tmp-protected").world
    refusal = Observation("EACCES", "/tmp/app.sock")
    assert not judge_run(world, UNPROTECTED, [refusal, *[Observation("ok")] * 3], "again").agree


def test_what_would_turn_each_refusal_is_looked_for_only_where_somebody_will_read_it() -> None:
    world = loads(WORLD + WORLD[WORLD.index("[[attempts]]") :] * EXPLAINED)
    run = run_world(world, kernel(*[Observation("EACCES", "/run/s")] * (EXPLAINED + 1)), "again")
    assert not run.verdicts[0].decision.changes
