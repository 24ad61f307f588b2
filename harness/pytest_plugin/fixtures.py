"""The plugin's fixtures: engines, places, worlds, users and servers.

What a fixture needs is imported when it is asked for, since many runs of a suite have no place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from harness.pytest_plugin.marks import Needs, again, described_by, needs_of, world_of
from harness.pytest_plugin.plugin import COUNTED, IMAGE, REPRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.checks import CheckResult
    from harness.engines.protocol import Engine, Place
    from harness.pytest_plugin.people import Person, ServerUnderTest
    from harness.subjects.subject import Subject
    from harness.world import Principal, World


@pytest.fixture(scope="session")
def harness_engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of this run. An engine that was asked for and does not work here is an error, never a skip."""
    from harness.engines.registry import choose

    return choose(request.param, request.config.getoption(IMAGE))


@pytest.fixture(scope="session")
def harness_mounts() -> Sequence[str]:
    """What of this machine places get to see, read-only: `HOST` or `HOST:PLACE`. Define your own in a conftest.py."""
    return ()


@pytest.fixture(scope="session")
def harness_place(
    harness_engine: Engine, harness_mounts: Sequence[str], request: pytest.FixtureRequest
) -> Iterator[Place]:
    """A place for this worker, shared by its tests: build a world in it first.

    Tests whose server needs something of its own there share one that has it.
    """
    needs: Needs = getattr(request, "param", Needs())
    image = request.config.getoption(IMAGE) or needs.image_of(harness_engine)
    with harness_engine.open(image=image, mounts=needs.mounts_beside(harness_mounts)) as opened:
        yield opened


@pytest.fixture
def harness_world(harness_place: Place, request: pytest.FixtureRequest) -> World:
    """The test's world, built in the place: that of its mark, else the users and directories of the checks."""
    wanted = world_of(request.node)
    harness_place.build(wanted)
    return wanted


@pytest.fixture
def harness_principals(harness_place: Place, harness_world: World) -> Mapping[str, Person]:
    """The users of the world by name, ready to connect and to run commands."""
    from harness.pytest_plugin.people import Person

    return {
        user.name: Person(harness_place, user.name, harness_world.principal(user.name)) for user in harness_world.users
    }


@pytest.fixture
def harness_user(request: pytest.FixtureRequest, harness_principals: Mapping[str, Person]) -> Person:
    """One user of the world: the test runs once for each that its mark `harness_users` names."""
    return harness_principals[request.param]


@pytest.fixture
def harness_socket_mode(request: pytest.FixtureRequest) -> int:
    """The mode that is asked of the server: each that `harness_socket_modes` names, else its own, else 0660."""
    if hasattr(request, "param"):
        mode: int = request.param
        return mode
    return 0o660 if request.node.get_closest_marker("harness_server") is None else described_by(request.node).mode


def _expect(place: Place, subject: Subject, who: Principal) -> None:
    """Raise UsageError with a sentence if the place lacks what the server's command names of this machine."""
    from harness.subjects.machine import missing

    if (lacking := missing(place, subject.command, who, subject.packages, subject.directory)) is not None:
        raise pytest.UsageError(lacking)


@pytest.fixture
def harness_server(
    harness_place: Place, harness_world: World, harness_socket_mode: int, request: pytest.FixtureRequest
) -> Iterator[ServerUnderTest]:
    """The server of the test's mark `harness_server`, started in the world; it has answered, and ends with the test."""
    from harness.pytest_plugin.people import ServerUnderTest
    from harness.testbed.furnishing import furnish
    from harness.testbed.testbed import Testbed

    subject = described_by(request.node).subject
    testbed = Testbed(harness_place, subject, mode=harness_socket_mode, owner=subject.owner, group=subject.group)
    testbed.enter(harness_world)
    for name in (testbed.owner, testbed.socket_owner):
        if all(user.name != name for user in harness_world.users):
            raise pytest.UsageError(f"{request.node.nodeid}: its world has no user {name}, whose the server is to be")
    _expect(harness_place, subject, testbed.principal(testbed.owner))
    variables = {"PATH": testbed.path, **testbed.environment()}
    furnish(harness_place, subject, testbed.request(), testbed.principal(testbed.socket_owner), variables)
    with testbed.serve() as running:
        yield ServerUnderTest(testbed, running)


@pytest.fixture
def harness_check(
    harness_engine: Engine,
    harness_place: Place,
    harness_socket_mode: int,
    harness_mounts: Sequence[str],
    request: pytest.FixtureRequest,
) -> CheckResult:
    """What came of a check of the mark's server: the test runs once for each that `harness_checks` names."""
    from harness.checks.runner import Configuration, check
    from harness.report.checks_baseline import mark
    from harness.testbed.cast import OWNER_ID
    from harness.world import ROOT, Principal

    described = described_by(request.node)
    subject = described.subject
    _expect(harness_place, subject, ROOT if described.owner == "root" else Principal(OWNER_ID, OWNER_ID))
    configuration = Configuration(harness_socket_mode, described.owner, described.group)
    image = request.config.getoption(IMAGE) or (needs_of(request.node) or Needs()).image_of(harness_engine)
    words = ["harness", "check", "--engine", harness_engine.name, *(("--image", image) if image else ())]
    words += again(request.node, harness_socket_mode, harness_mounts)
    (result,) = check(harness_place, subject, configuration, words, [request.param])
    result = mark(result, described.expected, {})
    request.node.stash[REPRODUCTION] = result.reproduce
    return result


class Tally(Protocol):
    """Counts what a test tried."""

    def __call__(self, **counts: int) -> None:
        """Add to this test's counts, for example `harness_tally(attempts=8)`."""
        ...


@pytest.fixture
def harness_tally(record_property: Callable[[str, object], None]) -> Tally:
    """Count what the test tries, for the line at the end of the run."""

    def count(**counts: int) -> None:
        for what, number in counts.items():
            record_property(f"{COUNTED}{what}", number)

    return count
