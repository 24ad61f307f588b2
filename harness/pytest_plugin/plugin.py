"""The pytest plugin: engines, places, worlds, users and servers as fixtures, and at the end what was tried in them.

A test that fails in a place says how to see it again.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from _pytest.junitxml import xml_key

from harness.trials.shards import Shard, shard_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from harness.checks import CheckResult
    from harness.engines.protocol import Engine, Place
    from harness.pytest_plugin.people import Person, Server
    from harness.subjects import Subject
    from harness.world import World

_COUNTED = "harness counted "
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_AGAIN = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--engine`, `--image` and `--shard`."""
    group = parser.getgroup("harness", "places with users, for servers on Unix sockets")
    group.addoption(
        "--engine",
        default=os.environ.get("HARNESS_ENGINE", "auto"),
        metavar="NAME[,NAME...]",
        help="the engines to run in, each test once in each; default: $HARNESS_ENGINE or auto (docker if an engine "
        "answers, else namespace)",
    )
    group.addoption("--image", default=None, metavar="NAME", help="the image for engines that have images")
    group.addoption(
        "--shard",
        type=shard_argument,
        default=Shard(),
        metavar="K/N",
        help="only the K-th of N equal parts of the tests; `harness merge` puts the parts' JUnit files together",
    )


MARKS = (
    "world(what): the world of the test: a TOML file beside the test file, or a harness.world.World",
    "server(*command, speaks=, user=, group=, socket=): the server of the test, {socket} and {mode} in its command",
    "socket_modes(*modes): run the test once with each mode of the socket",
    "users(*names): run the test once for each user; without names for every user of the world",
    "checks(*names): run the test once for each check; without names for all",
)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and say in a JUnit file which part of the whole it is.

    A worker of pytest-xdist, and so its places, ends with the process that started it.
    """
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    if (junit := config.stash.get(xml_key, None)) is not None:
        junit.add_global_property("shard", str(config.getoption("--shard")))
        junit.add_global_property("engine", str(config.getoption("--engine")))
    if hasattr(config, "workerinput") and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker takes 5 s to notice by itself


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the other parts out. Which those are depends on the tests' names alone, not on their order."""
    shard: Shard = config.option.shard
    chosen = set(shard.of(sorted({item.nodeid for item in items})))
    others = [item for item in items if item.nodeid not in chosen]
    if others:
        items[:] = [item for item in items if item.nodeid in chosen]
        config.hook.pytest_deselected(items=others)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs an engine once in each of the engines asked for."""
    if "engine" in metafunc.fixturenames:
        names = str(metafunc.config.getoption("--engine")).split(",")
        metafunc.parametrize("engine", names, indirect=True, scope="session")
    _parametrize(metafunc, "socket_mode", "socket_modes", lambda given: given, lambda mode: f"{mode:04o}")
    _parametrize(metafunc, "user", "users", lambda given: given or _user_names(metafunc), str)
    _parametrize(metafunc, "check", "checks", lambda given: given or _check_names(), str)


def _parametrize(
    metafunc: pytest.Metafunc,
    fixture: str,
    mark: str,
    choose: Callable[[tuple[Any, ...]], Sequence[Any]],
    identify: Callable[[Any], str],
) -> None:
    """Run a test once for each value that its mark chooses."""
    marker = metafunc.definition.get_closest_marker(mark)
    if marker is not None and fixture in metafunc.fixturenames:
        metafunc.parametrize(fixture, choose(marker.args), ids=identify, indirect=True)


def _check_names() -> list[str]:
    from harness.checks import CHECKS  # noqa: PLC0415 - a run without places should not load the checks

    return [check.name for check in CHECKS]


def _user_names(metafunc: pytest.Metafunc) -> list[str]:
    return [user.name for user in _world_of(metafunc.definition).users]


def _world_of(item: pytest.Item) -> World:
    """The world that a test asks for; without a mark, that of the checks."""
    from harness.testbed.cast import cast, lay  # noqa: PLC0415 - a run without places should not load the checks
    from harness.world import World, load  # noqa: PLC0415 - likewise

    marker = item.get_closest_marker("world")
    if marker is None:
        return lay(cast("alice", None), "own", "alice")
    what = marker.args[0]
    return what if isinstance(what, World) else load(item.path.parent / what)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of this run. An engine that was asked for and does not work here is an error, never a skip."""
    from harness.engines.registry import choose  # noqa: PLC0415 - a run without places should not load the engines

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
    wanted = _world_of(request.node)
    place.build(wanted)
    return wanted


@pytest.fixture
def principals(place: Place, world: World) -> Mapping[str, Person]:
    """The users of the world by name, ready to connect and to run commands."""
    from harness.pytest_plugin.people import Person  # noqa: PLC0415 - a run without places should not load the checks

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
def server(place: Place, world: World, socket_mode: int, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of the test's mark `server`, started in the world; it has answered, and ends with the test."""
    from harness.pytest_plugin.people import Server  # noqa: PLC0415 - a run without places should not load the checks
    from harness.testbed.testbed import Testbed  # noqa: PLC0415 - a run without places should not load the checks

    subject = _subject_of(request.node)
    testbed = Testbed(place, subject, mode=socket_mode, owner=subject.owner, group=subject.group)
    testbed.enter(world)
    with testbed.serve() as running:
        yield Server(testbed, running)


@pytest.fixture
def check(
    engine: Engine, place: Place, socket_mode: int, mounts: Sequence[str], request: pytest.FixtureRequest
) -> CheckResult:
    """What came of a check of the server of the mark `server`: the test runs once for each that `checks` names."""
    from harness.checks.runner import Question, check  # noqa: PLC0415 - a run without places should not load the checks

    subject = _subject_of(request.node)
    question = Question(socket_mode, subject.owner, subject.group)
    image = request.config.getoption("--image")
    words = ["harness", "check", "--engine", engine.name, *(("--image", image) if image else ())]
    words += ["--mode", f"{socket_mode:04o}", "--as", subject.owner, "--speaks", subject.speaks]
    words += [*(("--group", subject.group) if subject.group else ()), *(f"--mount={mount}" for mount in mounts)]
    (result,) = check(place, subject, question, [*words, "--", *subject.command], [request.param])
    request.node.stash[_AGAIN] = result.reproduce
    return result


def _subject_of(item: pytest.Item) -> Subject:
    """The server that a test's mark describes."""
    from harness.pytest_plugin.people import Fixed  # noqa: PLC0415 - a run without places should not load the checks

    marker = item.get_closest_marker("server")
    if marker is None:
        raise pytest.UsageError(f"{item.nodeid} needs @pytest.mark.server(COMMAND, ..., '{{socket}}', ...)")
    given = dict(marker.kwargs)
    return Fixed(
        name=str(marker.args[0]),
        about=" ".join(marker.args),
        command=tuple(map(str, marker.args)),
        speaks=given.pop("speaks", "nothing"),
        owner=given.pop("user", "alice"),
        path=given.pop("socket", None) or "",
        **given,
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a test that failed in a place how to see it again."""
    report = yield
    engine = getattr(item, "funcargs", {}).get("engine")
    if report.failed and engine is not None:
        image = item.config.getoption("--image")
        words = ["pytest", item.nodeid, "--engine", engine.name, *(("--image", image) if image else ())]
        again = [shlex.join(words), *((item.stash[_AGAIN],) if _AGAIN in item.stash else ())]
        report.sections.append(("to see it again", "\n".join(again)))
    return report


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
            record_property(f"{_COUNTED}{what}", number)

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried in all, over all workers."""
    total: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, number in report.user_properties if report.when == "call" else ():
                if name.startswith(_COUNTED) and isinstance(number, int):
                    total[name.removeprefix(_COUNTED)] += number
    if total:
        terminalreporter.write_sep("-", "harness")
        terminalreporter.write_line(", ".join(f"{number:,} {what}" for what, number in sorted(total.items())))
