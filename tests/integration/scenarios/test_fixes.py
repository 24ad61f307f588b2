"""What a report names as a fix is one: the command is run in the place, and the refused user gets in."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.oracle import predict, rules_of
from harness.scenarios import Scenario, library
from tests.helpers.harness_command import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Engine, Place
    from harness.oracle import Change
    from harness.pytest_plugin.fixtures import Tally
    from harness.world import World

COMMANDS = {"membership", "acl", "chmod", "chgrp", "chown", "unlink", "remount"}
"""The kinds of changes that are commands; the others tell a person to start a server or to connect otherwise."""


@pytest.fixture(autouse=True)
def programs(engine: Engine, need: Callable[[str, str], str]) -> None:
    """What fixes are made with, in places that have this machine's own programs."""
    if engine.name in {"namespace", "host"}:
        need("mount", "mount")
        if sys.platform == "linux":
            need("setfacl", "acl")


@pytest.mark.parametrize("scenario", [pytest.param(scenario, id=scenario.source) for scenario in library()])
def test_every_fix_that_is_named_turns_the_refusal(place: Place, scenario: Scenario, tally: Tally) -> None:
    world = scenario.world
    decisions = predict(world, world.attempts, rules_of(place.facts), changes=True)
    for number, decision in enumerate(decisions):
        for change in decision.changes:
            if set(change.what.split(" and ")) <= COMMANDS:
                assert outcome_after(place, world, number, change) == "ok", change.text
                tally(fixes=1)


def outcome_after(place: Place, world: World, number: int, change: Change) -> str:
    """How an attempt ends in the same world, after the same attempts before it, and after the change."""
    commands = change.text.partition("  #")[0].split(" && ")
    joining = re.escape(rules_of(place.facts).joining).replace(r"\{group\}", r"(?P<group>\S+)")
    pattern = joining.replace(r"\{user\}", r"(?P<user>\S+)")
    joins = [joined for command in commands if (joined := re.fullmatch(pattern, command))]
    for joined in joins:
        world = with_group(world, joined["user"], joined["group"])
    place.build(world)
    place.attempt(world.attempts[:number])
    for command in commands:
        if not re.fullmatch(pattern, command):
            done = place.run(["sh", "-c", by_number(world, command) if place.facts.engine == "host" else command], ROOT)
            assert done.status == 0, f"{command}: {done.stderr}"
    (seen,) = place.attempt([world.attempts[number]])
    return seen.outcome


def by_number(world: World, command: str) -> str:
    """The command with numbers for names, where the accounts of the world are none of the machine's."""
    uids = {user.name: user.uid for user in world.users}
    gids = {**{user.name: world.principal(user.name).gid for user in world.users}, **world.groups}
    command = re.sub(r"\bu:([\w-]+):", lambda found: f"u:{uids[found[1]]}:", command)
    command = re.sub(r"^chown ([\w-]+)", lambda found: f"chown {uids[found[1]]}", command)
    return re.sub(r"^chgrp ([\w-]+)", lambda found: f"chgrp {gids[found[1]]}", command)


def with_group(world: World, user: str, group: str) -> World:
    """A world in which a user has logged in again, as a member of one more group."""
    joined = int(group) if group.isdecimal() else group
    users = tuple(replace(one, groups=(*one.groups, joined)) if one.name == user else one for one in world.users)
    return replace(world, users=users)
