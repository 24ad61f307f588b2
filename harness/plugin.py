"""The pytest plugin: engines and places as fixtures, and at the end what was tried in them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.place import Engine, Place

_COUNTED = "harness counted "
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--engine` and `--image`."""
    group = parser.getgroup("harness", "places with users, for servers on Unix sockets")
    group.addoption(
        "--engine",
        default=os.environ.get("HARNESS_ENGINE", "auto"),
        metavar="NAME[,NAME...]",
        help="the engines to run in, each test once in each; default: $HARNESS_ENGINE or auto (docker if an engine "
        "answers, else namespace)",
    )
    group.addoption("--image", default=None, metavar="NAME", help="the image for engines that have images")


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker of pytest-xdist, and so its places, end with the process that started it, however that ends."""
    if hasattr(config, "workerinput") and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker takes 5 s to notice by itself


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs an engine once in each of the engines asked for."""
    if "engine" in metafunc.fixturenames:
        names = str(metafunc.config.getoption("--engine")).split(",")
        metafunc.parametrize("engine", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of this run. An engine that was asked for and does not work here is an error, never a skip."""
    from harness.engines import choose  # noqa: PLC0415 - a run without places should not load the engines

    return choose(request.param)


@pytest.fixture(scope="session")
def place(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place for this worker, shared by its tests: build a world in it first."""
    with engine.open(image=request.config.getoption("--image")) as opened:
        yield opened


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
