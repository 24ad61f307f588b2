"""The plugin's fixtures: engines, places, worlds, users and servers.

What a fixture needs is imported when it is asked for: pytest loads this module in every run, and most have no place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from harness.pytest_plugin.marks import subject_of, world_of
from harness.pytest_plugin.plugin import COUNTED, REPRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.checks import CheckResult
    from harness.engines.protocol import Engine, Place
    from harness.pytest_plugin.people import Person, ServerUnderTest
    from harness.world import World


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of this run. An engine that was asked for and does not work here is an error, never a skip."""
    from harness.engines.registry import choose

    return choose(request.param)


@pytest.fixture(scope="session")
def mounts() -> Sequence[str]:
    """What of this machine places get to see, read-only: `HOST` or `HOST:PLACE`. Define your own in a conftest.py."""
    return ()


@pytest.fixture(scope="session")
def place(engine: Engine, mounts: Sequence[str], request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place for this worker, shared by its tests: build a world in it first."""
    with engine.open(image=request.config.getoption("--image"), mounts=mounts) as opened:
        yield opened


@pytest.fixture
def world(place: Place, request: pytest.FixtureRequest) -> World:
    """The test's world, built in the place: that of its mark `world`, else the users and directories of the checks."""
    wanted = world_of(request.node)
    place.build(wanted)
    return wanted


@pytest.fixture
def principals(place: Place, world: World) -> Mapping[str, Person]:
    """The users of the world by name, ready to connect and to run commands."""
    from harness.pytest_plugin.people import Person

    return {user.name: Person(place, user.name, world.principal(user.name)) for user in world.users}


@pytest.fixture
def user(request: pytest.FixtureRequest, principals: Mapping[str, Person]) -> Person:
    """One user of the world: the test runs once for each that its mark `users` names."""
    return principals[request.param]


@pytest.fixture
def socket_mode(request: pytest.FixtureRequest) -> int:
    """The mode that is asked of the server: each that the mark `socket_modes` names, else 0660."""
    mode: int = getattr(request, "param", 0o660)
    return mode


@pytest.fixture
def server(place: Place, world: World, socket_mode: int, request: pytest.FixtureRequest) -> Iterator[ServerUnderTest]:
    """The server of the test's mark `server`, started in the world; it has answered, and ends with the test."""
    from harness.pytest_plugin.people import ServerUnderTest
    from harness.testbed.testbed import Testbed

    subject = subject_of(request.node)
    testbed = Testbed(place, subject, mode=socket_mode, owner=subject.owner, group=subject.group)
    testbed.enter(world)
    with testbed.serve() as running:
        yield ServerUnderTest(testbed, running)


@pytest.fixture
def check(
    engine: Engine, place: Place, socket_mode: int, mounts: Sequence[str], request: pytest.FixtureRequest
) -> CheckResult:
    """What came of a check of the server of the mark `server`: the test runs once for each that `checks` names."""
    from harness.checks.runner import Configuration, check

    subject = subject_of(request.node)
    configuration = Configuration(socket_mode, subject.owner, subject.group)
    image = request.config.getoption("--image")
    words = ["harness", "check", "--engine", engine.name, *(("--image", image) if image else ())]
    words += ["--mode", f"{socket_mode:04o}", "--as", subject.owner, "--speaks", subject.speaks]
    words += [*(("--group", subject.group) if subject.group else ()), *(f"--mount={mount}" for mount in mounts)]
    (result,) = check(place, subject, configuration, [*words, "--", *subject.command], [request.param])
    request.node.stash[REPRODUCTION] = result.reproduce
    return result


class Tally(Protocol):
    """Counts what a test tried."""

    def __call__(self, **counts: int) -> None:
        """Add to this test's counts, for example `tally(attempts=8)`."""
        ...


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Tally:
    """Count what the test tries, for the line at the end of the run."""

    def count(**counts: int) -> None:
        for what, number in counts.items():
            record_property(f"{COUNTED}{what}", number)

    return count
