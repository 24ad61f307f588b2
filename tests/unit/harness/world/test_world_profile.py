"""Rules of an AppArmor profile as a world says them: what they match, and what is none."""

from __future__ import annotations

from typing import Literal

import pytest

from harness.oracle import decide, linux
from harness.world import Attempt, Confinement, Node, User, World, complete, dumps, loads, problems
from harness.world.profile import allows, makes_sockets


@pytest.mark.parametrize(
    ("rules", "path", "directory", "may"),
    [
        (("/run/s w",), "/run/s", False, True),
        (("/run/s w",), "/run/s2", False, False),
        (("/run/* w",), "/run/s", False, True),
        (("/run/* w",), "/run/a/s", False, False),
        (("/run/* w",), "/run/", False, False),
        (("/run/** w",), "/run/a/s", False, True),
        (("/run/** w",), "/run", True, False),
        (("/run/** w",), "/run/a", True, True),
        (("/run/* w",), "/run/a", True, False),
        (("/run/** w", "deny /run/s w"), "/run/s", False, False),
        (("deny /run/s w",), "/run/s", False, False),
        (("network unix",), "/run/s", False, False),
        ((), "/run/s", False, False),
    ],
)
def test_what_a_rule_matches(rules: tuple[str, ...], path: str, directory: bool, may: bool) -> None:
    assert allows(rules, path, "w", directory=directory) == may


@pytest.mark.parametrize("access", ["r", "x"])
def test_what_is_not_denied_may_be_read_and_executed(access: Literal["r", "x"]) -> None:
    assert allows(("deny /run/s w",), "/run/s", access)
    assert not allows((f"deny /run/* {access}",), "/run/s", access)
    assert allows((f"deny /run/* {access}",), "/run/d", access, directory=True)
    assert not allows((f"deny /run/** {access}",), "/run/d", access, directory=True)
    assert allows((f"deny /run/s {access}", "/run/s w"), "/run/s", "w")


def test_sockets_are_made_by_one_rule() -> None:
    assert makes_sockets(("/run/** w", "network unix"))
    assert not makes_sockets(("/run/** w",))


@pytest.mark.parametrize(
    "rule",
    [
        "/run/s rw",
        "/run/s r",
        "/run/s x",
        "deny /run/s rw",
        "run/s w",
        "/run/s*t w",
        "/run/*/s w",
        "network inet",
        "/run/s w, /** rw",
        "allow /x w",
        "/a{b,c} w",
    ],
)
def test_what_is_no_rule_is_said(rule: str) -> None:
    world = complete(World("w", users=(User("web", 33, 33, confined=Confinement(apparmor=(rule,))),)))
    (problem,) = problems(world)
    assert problem.where[-2:] == ("confined", "apparmor")
    assert "is no rule of a world" in problem.sentence


def test_a_profile_is_read_and_written_and_an_empty_one_is_one() -> None:
    text = '[users.web]\nuid = 33\nconfined = { apparmor = ["network unix", "/run/** w"] }\n'
    world = loads(f'name = "w"\n{text}')
    assert world.user("web").confined == Confinement(apparmor=("/run/** w", "network unix"))
    assert loads(dumps(world)) == world
    empty = loads('name = "w"\n[users.web]\nuid = 33\nconfined = { apparmor = [] }\n')
    assert empty.user("web").confined == Confinement(apparmor=())
    assert loads(dumps(empty)) == empty


@pytest.mark.parametrize(("asked", "outcome"), [(0, "ok"), (1, "EACCES")])
def test_a_connection_is_refused_where_the_kernel_asks_about_it(asked: int, outcome: str) -> None:
    users = (User("web", 33, 33, confined=Confinement(apparmor=("network unix",))),)
    world = complete(World("w", users=users, nodes=(Node("/run/s", "socket", mode=0o777),)))
    decision = decide(world, Attempt("web", "connect", "/run/s"), linux({"apparmor.af_unix": asked}))
    assert (decision.outcome, decision.layer) == (outcome, "AppArmor" if asked else None)
    if asked:
        assert decision.changes[0].text == "run web without that profile, or let it have the rule"
