"""The pytest plugin's options and hooks. Its fixtures are in `fixtures`, its marks in `marks`.

A test that fails in a place says how to see it again, and a run at its end what was tried.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pytest
from _pytest.junitxml import xml_key

from harness.pytest_plugin.marks import MARKS, names_of, needs_of, world_of
from harness.trials.shards import Shard, shard_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

ENGINE, IMAGE, SHARD = "--harness-engine", "--harness-image", "--harness-shard"
"""The options."""
COUNTED = "harness counted "
"""What the names of the properties begin with in which tests keep their counts."""
REPRODUCTION = pytest.StashKey[str]()
"""The command that makes a test's check again."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("harness", "places with users, for servers on Unix sockets")
    group.addoption(
        ENGINE,
        default=os.environ.get("HARNESS_ENGINE", "auto"),
        metavar="NAME[,NAME...]",
        help="the engines to run in, each test once in each; default: $HARNESS_ENGINE or auto (docker if an engine "
        "answers, else namespace)",
    )
    group.addoption(IMAGE, default=None, metavar="NAME", help="the image for engines that have images")
    group.addoption(
        SHARD,
        type=shard_argument,
        default=Shard(),
        metavar="K/N",
        help="only the K-th of N equal parts of the tests; `harness merge` puts the parts' JUnit files together",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and say in a JUnit file which part of the whole it is.

    A worker of pytest-xdist, and so its places, ends with the process that started it.
    """
    for mark in MARKS:
        config.addinivalue_line("markers", mark)
    if (junit := config.stash.get(xml_key, None)) is not None:
        junit.add_global_property("shard", str(config.getoption(SHARD)))
        junit.add_global_property("engine", str(config.getoption(ENGINE)))
    if hasattr(config, "workerinput") and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a worker takes 5 s to notice by itself


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of the other parts out. Which those are depends on the tests' names alone, not on their order."""
    shard = cast("Shard", config.getoption(SHARD))
    chosen = set(shard.of(sorted({item.nodeid for item in items})))
    others = [item for item in items if item.nodeid not in chosen]
    if others:
        items[:] = [item for item in items if item.nodeid in chosen]
        config.hook.pytest_deselected(items=others)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs an engine once in each of the engines asked for."""
    if "harness_engine" in metafunc.fixturenames:
        names = str(metafunc.config.getoption(ENGINE)).split(",")
        metafunc.parametrize("harness_engine", names, indirect=True, scope="session")
    needs = needs_of(metafunc.definition) if "harness_place" in metafunc.fixturenames else None
    if needs is not None:
        metafunc.parametrize("harness_place", [needs], ids=[pytest.HIDDEN_PARAM], indirect=True, scope="session")
    _parametrize(
        metafunc, "harness_socket_mode", "harness_socket_modes", lambda given: given, lambda mode: f"{mode:04o}"
    )
    _parametrize(
        metafunc,
        "harness_user",
        "harness_users",
        lambda given: names_of(metafunc.definition.nodeid, "harness_users", given, _user_names(metafunc)),
        str,
    )
    _parametrize(
        metafunc,
        "harness_check",
        "harness_checks",
        lambda given: names_of(metafunc.definition.nodeid, "harness_checks", given, _check_names()),
        str,
    )


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
    from harness.checks import CHECKS

    return [check.name for check in CHECKS]


def _user_names(metafunc: pytest.Metafunc) -> list[str]:
    return [user.name for user in world_of(metafunc.definition).users]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say of a test that failed in a place how to see it again."""
    report = yield
    engine = getattr(item, "funcargs", {}).get("harness_engine")
    if report.failed and engine is not None:
        image = item.config.getoption(IMAGE)
        words = ["pytest", item.nodeid, ENGINE, engine.name, *((IMAGE, image) if image else ())]
        again = [shlex.join(words), *((item.stash[REPRODUCTION],) if REPRODUCTION in item.stash else ())]
        report.sections.append(("to see it again", "\n".join(again)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried in all, over all workers."""
    total: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, number in report.user_properties if report.when == "call" else ():
                if name.startswith(COUNTED) and isinstance(number, int):
                    total[name.removeprefix(COUNTED)] += number
    if total:
        terminalreporter.write_sep("-", "harness")
        terminalreporter.write_line(", ".join(f"{number:,} {what}" for what, number in sorted(total.items())))
