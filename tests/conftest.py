"""What all tests share: how a test asks for a program that a machine may lack, and the engine of a run."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Engine
    from harness.pytest_plugin.fixtures import Tally


EVERYWHERE = {"curl"}
"""Programs that every runner has: there is nothing to install, and their absence is no reason to skip."""


def pytest_configure() -> None:
    """Let an interrupt reach what tests start: a shell has what it starts in the background ignore it, and that is
    inherited.

    Nothing is frozen for the garbage collector here: Hypothesis asks it who refers to its generator of random numbers,
    and on Python 3.14 properties fail if that is not found.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def need() -> Callable[[str, str], str]:
    """Find a program or skip with what to install; its absence fails in CI where it should be there."""

    def find(program: str, package: str) -> str:
        path = shutil.which(program)
        if path is None:
            why = f"needs {program}: install Debian's {package}"
            if "CI" in os.environ and (sys.platform == "linux" or program in EVERYWHERE):
                pytest.fail(why)
            pytest.skip(why)
        return path

    return find


@pytest.fixture(scope="session")
def curl(need: Callable[[str, str], str]) -> str:
    """The program that hooks' commands run."""
    return need("curl", "curl")


@pytest.fixture(scope="session")
def harness_engine(request: pytest.FixtureRequest) -> Engine:
    """The engine of this run. Where none was asked for and none works, a test is left out and says why; not in CI."""
    return _engine(request.param, request.config)


@pytest.fixture(scope="session")
def one_engine(pytestconfig: pytest.Config) -> Engine:
    """The quickest of the engines that were asked for: for what is the same whichever a place is made by."""
    from tests.helpers.places import one_engine_name

    return _engine(one_engine_name(pytestconfig), pytestconfig)


def _engine(name: str, config: pytest.Config) -> Engine:
    from harness.engines.error import PlaceError
    from tests.helpers.places import chosen

    try:
        return chosen(name, config.getoption("--harness-image"))
    except PlaceError as error:
        if name == "auto" and "CI" not in os.environ:
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def engine(harness_engine: Engine) -> Engine:
    """The plugin's engine, by a shorter name here."""
    return harness_engine


@pytest.fixture
def tally(harness_tally: Tally) -> Tally:
    """The plugin's tally, by a shorter name here."""
    return harness_tally
