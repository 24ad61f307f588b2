"""Users whom a filter of system calls or a Landlock domain holds: each layer alone, and on top of another refusal."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import pytest

from harness.engines.protocol import PlaceError
from harness.oracle import predict, rules_of
from harness.trials.random_sweep import draw
from harness.trials.verdict import judge
from harness.world import Attempt, Confinement, LandlockRight, Node, User, World, complete, dumps, loads
from harness.world.validation import REFUSALS
from tests.mutants.oracles import WRONG_OF_CONFINEMENT, WrongOracle

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.pytest_plugin.fixtures import Tally
    from harness.world import FilteredCall, Operation

WORLDS = 100
CALLS: list[FilteredCall] = ["socket", "connect", "bind", "unlink", "rename", "chmod"]
RIGHTS: list[LandlockRight] = ["abstract", "bind"]

NODES = (
    Node("/open", "directory", mode=0o777),
    Node("/open/other", "directory", mode=0o777),
    Node("/closed", "directory", mode=0o700),
    Node("/shut", "directory", mode=0o755),
    Node("/frozen", "mount", mode=0o777, fs="tmpfs", options=("ro",)),
    Node("/open/live", "socket", mode=0o777),
    Node("/open/mine", "socket", owner="web", mode=0o700),
    Node("/open/theirs", "socket", mode=0o700),
    Node("/open/dead", "socket", mode=0o777, state="stale"),
    Node("/open/file", "file", owner="web"),
    Node("/open/gone", "file", owner="web"),
    Node("/shut/live", "socket", owner="web", mode=0o777),
    Node("/shut/file", "file", owner="web"),
    Node("@name", "socket"),
    Node("@bound", "socket", state="bound"),
)


def confined(confinement: Confinement, *attempts: Attempt) -> World:
    """A world in which web is held, and free is not."""
    users = (User("web", 33, 33, confined=confinement), User("free", 33, 33))
    return complete(World("confined", users=users, nodes=NODES, attempts=attempts))


def asks(operation: Operation, path: str, expect: str, to: str | None = None, at: str | None = None) -> Attempt:
    return Attempt("web", operation, path, to, 0o600 if operation == "chmod" else None, expect=expect, at=at)


SECCOMP: dict[str, tuple[dict[FilteredCall, str], Attempt, str | None]] = {
    "no-unix-sockets": ({"socket": "EAFNOSUPPORT"}, asks("connect", "/open/live", "EAFNOSUPPORT"), "seccomp"),
    "no-unix-sockets-and-a-closed-way": (
        {"socket": "EAFNOSUPPORT"},
        asks("connect", "/closed/live", "EAFNOSUPPORT", at="/closed/live"),
        "seccomp",
    ),
    "no-unix-sockets-to-bind": ({"socket": "EPERM"}, asks("bind", "/open/new", "EPERM"), "seccomp"),
    "no-connect": ({"connect": "EPERM"}, asks("connect", "/open/live", "EPERM"), "seccomp"),
    "no-connect-where-nobody-listens": ({"connect": "EPERM"}, asks("connect", "/open/dead", "EPERM"), "seccomp"),
    "no-connect-but-what-is-closed-to-bind": ({"connect": "EPERM"}, asks("bind", "/shut/new", "EACCES"), "path"),
    "socket-before-connect": (
        {"socket": "EAFNOSUPPORT", "connect": "EPERM"},
        asks("connect", "/open/live", "EAFNOSUPPORT"),
        "seccomp",
    ),
    "no-connect-to-a-name": ({"connect": "ENOSYS"}, asks("connect", "@nobody", "ENOSYS"), "seccomp"),
    "no-bind": ({"bind": "EACCES"}, asks("bind", "/open/new", "EACCES", at="/open/new"), "seccomp"),
    "no-bind-on-a-read-only-mount": ({"bind": "EPERM"}, asks("bind", "/frozen/new", "EPERM"), "seccomp"),
    "no-unlink": ({"unlink": "EPERM"}, asks("unlink", "/open/mine", "EPERM"), "seccomp"),
    "no-unlink-of-what-is-not-there": ({"unlink": "ENOSYS"}, asks("unlink", "/open/none", "ENOSYS"), "seccomp"),
    "no-unlink-in-a-closed-directory": ({"unlink": "EPERM"}, asks("unlink", "/closed/live", "EPERM"), "seccomp"),
    "no-bind-to-a-name": ({"bind": "EPERM"}, asks("bind", "@new", "EPERM"), "seccomp"),
    "no-rename": ({"rename": "EPERM"}, asks("rename", "/open/mine", "EPERM", "/open/new"), "seccomp"),
    "no-rename-across-mounts": ({"rename": "EACCES"}, asks("rename", "/open/mine", "EACCES", "/frozen/a"), "seccomp"),
    "no-chmod": ({"chmod": "EPERM"}, asks("chmod", "/open/mine", "EPERM"), "seccomp"),
    "no-chmod-of-another's": ({"chmod": "ENOSYS"}, asks("chmod", "/open/theirs", "ENOSYS"), "seccomp"),
    "no-unlink-but-a-connect": ({"unlink": "EPERM"}, asks("connect", "/open/live", "ok"), None),
}
BIND, ABSTRACT = frozenset[LandlockRight]({"bind"}), frozenset[LandlockRight]({"abstract"})
LANDLOCK = {
    "no-names-outside": (ABSTRACT, asks("connect", "@name", "EPERM"), "Landlock"),
    "no-names-outside-where-nobody-listens": (ABSTRACT, asks("connect", "@bound", "ECONNREFUSED"), "socket"),
    "no-names-outside-and-none-there": (ABSTRACT, asks("connect", "@nobody", "ECONNREFUSED"), "socket"),
    "no-names-outside-but-a-path": (ABSTRACT, asks("connect", "/open/live", "ok"), None),
    "no-names-outside-but-a-new-one": (ABSTRACT, asks("bind", "@new", "ok"), None),
    "no-new-sockets": (BIND, asks("bind", "/open/new", "EACCES", at="/open"), "Landlock"),
    "no-new-sockets-in-a-closed-directory": (BIND, asks("bind", "/shut/new", "EACCES", at="/shut"), "Landlock"),
    "no-new-sockets-behind-a-closed-one": (BIND, asks("bind", "/closed/new", "EACCES", at="/closed"), "path"),
    "no-new-sockets-on-a-read-only-mount": (BIND, asks("bind", "/frozen/new", "EROFS"), "path"),
    "no-new-sockets-where-one-is": (BIND, asks("bind", "/open/live", "EADDRINUSE"), "path"),
    "no-new-sockets-but-a-name": (BIND, asks("bind", "@new", "ok"), None),
    "no-new-sockets-but-a-connection": (BIND, asks("connect", "@name", "ok"), None),
    "a-socket-keeps-its-name": (BIND, asks("rename", "/open/mine", "EACCES", "/open/new"), "Landlock"),
    "a-socket-keeps-its-directory": (BIND, asks("rename", "/open/mine", "EACCES", "/open/other/new"), "Landlock"),
    "a-file-gets-a-name": (BIND, asks("rename", "/open/file", "ok", "/open/new"), None),
    "a-file-keeps-its-directory": (BIND, asks("rename", "/open/file", "EXDEV", "/open/other/file"), "Landlock"),
    "a-file-out-of-a-closed-directory": (BIND, asks("rename", "/shut/file", "EXDEV", "/open/gone"), "Landlock"),
    "a-socket-out-of-a-closed-directory": (BIND, asks("rename", "/shut/live", "EACCES", "/open/gone"), "Landlock"),
    "a-file-keeps-a-closed-directory": (BIND, asks("rename", "/open/file", "EXDEV", "/shut/file"), "Landlock"),
    "what-is-not-there": (BIND, asks("rename", "/open/none", "ENOENT", "/open/new"), "path"),
    "a-socket-can-be-removed": (BIND, asks("unlink", "/open/mine", "ok"), None),
}


def agree(place: Place, world: World, layer: str | None) -> None:
    """Oracle, kernel and the world's author say the same; the oracle names the layer. The file says the same too."""
    attempt = world.attempts[0]
    assert loads(dumps(world)) == world
    place.build(world)
    (decision,) = predict(world, (attempt,), rules_of(place.facts))
    (observation,) = place.attempt((attempt,))
    assert judge(attempt, decision, observation).differences == ()
    assert decision.layer == layer
    if layer in {"seccomp", "Landlock"}:
        # The control: without what holds it, the same user gets another answer, or one for another reason.
        free = dataclasses.replace(attempt, user="free", expect=None, at=None)
        place.build(world)
        (unheld,) = predict(world, (free,), rules_of(place.facts))
        assert judge(free, unheld, place.attempt((free,))[0]).differences == ()
        assert (unheld.outcome, unheld.layer) != (decision.outcome, layer)


@pytest.mark.parametrize("name", SECCOMP)
def test_a_filter_of_calls(place: Place, name: str) -> None:
    calls, attempt, layer = SECCOMP[name]
    agree(place, confined(Confinement(tuple(sorted(calls.items()))), attempt), layer)


@pytest.fixture
def landlock(place: Place) -> Place:
    """The place, if its kernel has Landlock's ABI 6."""
    world = confined(Confinement(landlock=ABSTRACT), asks("connect", "@nobody", "ECONNREFUSED"))
    place.build(world)
    try:
        place.attempt(world.attempts)
    except PlaceError as error:
        pytest.skip(f"{error}")
    return place


@pytest.mark.parametrize("name", LANDLOCK)
def test_a_domain(landlock: Place, name: str) -> None:
    rights, attempt, layer = LANDLOCK[name]
    agree(landlock, confined(Confinement(landlock=rights), attempt), layer)


@pytest.mark.parametrize("wrong", WRONG_OF_CONFINEMENT, ids=lambda wrong: wrong.name.replace(" ", "-"))
def test_a_world_finds_each_wrong_oracle(landlock: Place, wrong: WrongOracle) -> None:
    rules = rules_of(landlock.facts)
    held = [confined(Confinement(tuple(sorted(calls.items()))), attempt) for calls, attempt, _ in SECCOMP.values()]
    held += [confined(Confinement(landlock=rights), attempt) for rights, attempt, _ in LANDLOCK.values()]
    for world in held:
        landlock.build(world)
        observations = landlock.attempt(world.attempts)
        if judge(world.attempts[0], wrong(world, world.attempts, rules)[0], observations[0]).differences:
            return
    pytest.fail(f"no world shows that {wrong.name}")


def held_by_chance(chance: random.Random) -> Confinement:
    calls: list[FilteredCall] = chance.sample(CALLS, chance.choice([0, 0, 1, 2]))
    rights: list[LandlockRight] = chance.sample(RIGHTS, chance.choice([0, 1, 2]))
    return Confinement(tuple(sorted((call, chance.choice(sorted(REFUSALS))) for call in calls)), frozenset(rights))


def test_random_worlds_whose_users_are_held(landlock: Place, tally: Tally) -> None:
    chance = random.Random(21)
    attempts = 0
    for drawn in draw(WORLDS, 21):
        users = tuple(dataclasses.replace(user, confined=held_by_chance(chance)) for user in drawn.users)
        world = dataclasses.replace(drawn, users=users)
        landlock.build(world)
        decisions = predict(world, world.attempts, rules_of(landlock.facts))
        for verdict in map(judge, world.attempts, decisions, landlock.attempt(world.attempts)):
            assert verdict.differences == (), dumps(world)
            attempts += 1
    tally(cases=WORLDS, attempts=attempts)
