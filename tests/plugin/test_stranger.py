"""A project that knows nothing of us and uses all the names that we might take runs with our wheel as without."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin import fixtures, plugin
from harness.pytest_plugin.marks import MARKS
from tests.platforms.unsupported.sandboxes import pure_packages
from tests.plugin.conftest import environment

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """
import sqlite3

import pytest


def pytest_addoption(parser):
    parser.addoption("--engine", default="sqlite,memory", help="the databases to test with")
    parser.addoption("--image", default="postgres:17")
    parser.addoption("--shard", default="1/1")


def pytest_configure(config):
    for mark in ("world(n)", "server(name)", "socket_modes(*n)", "users(*names)", "checks(*names)"):
        config.addinivalue_line("markers", mark)


def pytest_generate_tests(metafunc):
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", metafunc.config.getoption("--engine").split(","), indirect=True, scope="session")


class Engine:
    def __init__(self, name):
        self.name = name

    def connect(self):
        return sqlite3.connect(":memory:")


@pytest.fixture(scope="session")
def engine(request):
    return Engine(request.param)


@pytest.fixture
def place(engine):
    with engine.connect() as connection:
        yield connection


@pytest.fixture(params=[1, 2])
def world(request):
    return request.param


@pytest.fixture(params=["ann", "ben"])
def user(request):
    return request.param


@pytest.fixture
def mounts():
    return {"/static": "static"}


@pytest.fixture
def principals(user):
    return [user]


@pytest.fixture
def socket_mode():
    return "r"


@pytest.fixture
def server(place, socket_mode):
    return place, socket_mode


@pytest.fixture
def check():
    def compare(left, right):
        assert left == right

    return compare


@pytest.fixture
def tally():
    return []
"""
SUITE = """
import pytest

pytestmark = [pytest.mark.server("db"), pytest.mark.world(3), pytest.mark.users("zoe"), pytest.mark.checks("none")]


@pytest.mark.socket_modes(1)
def test_all_of_it(engine, place, world, user, mounts, principals, socket_mode, server, check, tally):
    tally.append(user)
    check(principals, tally)
    check(place.execute("select ?", (world,)).fetchone(), (world,))
    check(server, (place, "r"))


def test_that_fails(engine):
    assert engine.name == "sqlite"
"""
PREFIX = "harness_"
OUTCOME = re.compile(r"^(test_suite\.py::\S+) (PASSED|FAILED)", re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return tmp_path


@pytest.fixture
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has pytest and nothing of ours."""
    made = tmp_path_factory.mktemp("without") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    pure_packages(next((made / "lib").glob("python*/site-packages")), "pytest")
    return made / "bin" / "python"


def run(python: Path, project: Path, *words: str, status: int = 1) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [python, *words, "-v", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"],
        cwd=project,
        env=environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_a_project_with_all_our_words_runs_with_our_wheel_as_it_does_without(
    project: Path, installed: Path, without: Path
) -> None:
    there = [run(python, project, "-m", "pytest").stdout for python in (installed, without)]
    outcomes = [sorted(OUTCOME.findall(said)) for said in there]
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0]) == 2 * 2 * 2 + 2
    assert [verdict for _, verdict in outcomes[0]].count("FAILED") == 1


def test_it_runs_so_even_when_it_asks_for_the_plugin(project: Path, installed: Path, without: Path) -> None:
    asked = run(installed, project, "-m", "pytest", "-p", "harness.pytest_plugin")
    assert sorted(OUTCOME.findall(asked.stdout)) == sorted(
        OUTCOME.findall(run(without, project, "-m", "pytest").stdout)
    )


def test_the_project_has_every_name_of_the_plugin_s_without_its_beginning() -> None:
    """So a fixture, a mark or an option that the plugin gets anew is one that the project has too."""
    fixtures_ = {name.removeprefix(PREFIX) for name in vars(fixtures) if name.startswith(PREFIX)}
    assert len(fixtures_) == 10
    assert {name for name in fixtures_ if not re.search(rf"^def {name}\(", CONFTEST, re.MULTILINE)} == set()
    for mark in MARKS:
        assert f'"{mark.partition("(")[0].removeprefix(PREFIX)}(' in CONFTEST
    for option in (plugin.ENGINE, plugin.IMAGE, plugin.SHARD):
        assert f'"{option.replace("harness-", "")}"' in CONFTEST


LOADED = """
import sys, pytest
status = pytest.main(sys.argv[1:])
print("loaded:", *(name for name in sys.modules if name.partition(".")[0] in ("harness", "observatory")))
sys.exit(status)
"""


def test_a_run_that_does_not_ask_imports_nothing_of_ours(project: Path, installed: Path) -> None:
    assert run(installed, project, "-c", LOADED).stdout.endswith("\nloaded:\n")
    asked = run(installed, project, "-c", LOADED, "-p", "harness.pytest_plugin").stdout
    names = set(asked.partition("\nloaded: ")[2].split())
    assert names == {
        *("harness", "harness.trials", "harness.trials.shards"),
        *(f"harness.pytest_plugin{part}" for part in ("", ".plugin", ".fixtures", ".marks")),
    }, "a run that has no place imports more than it needs"
