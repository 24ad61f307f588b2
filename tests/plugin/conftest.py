"""A stranger's project: an environment that has our wheel installed, and the example of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.engines.protocol import Engine

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"`(?P<name>[\w.]+)`[^`]*:\n\n```\w+\n(?P<text>.*?)```\n", re.DOTALL)


def example() -> dict[str, str]:
    """The files of the example in docs/plugin.md: each named in the sentence before it."""
    text = (ROOT / "docs" / "plugin.md").read_text(encoding="utf-8")
    return {found["name"]: found["text"] for found in BLOCK.finditer(text)}


def environment() -> dict[str, str]:
    """The environment, without what would lead a Python to this repository."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@dataclass(frozen=True)
class Project:
    """A directory with the example in it, and the Python that has our wheel."""

    directory: Path
    python: Path
    engine: str

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a module of the environment in the project."""
        return subprocess.run(
            [self.python, "-m", *words],
            cwd=self.directory,
            env=environment(),
            text=True,
            capture_output=True,
            check=False,
            timeout=280,
        )

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the project's tests in the engine of this run."""
        return self.command("pytest", "--harness-engine", self.engine, "-p", "no:cacheprovider", *arguments)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python into which our wheel is installed; what the wheel needs it finds where this test finds it."""
    from uv import find_uv_bin

    uv = find_uv_bin()
    here = tmp_path_factory.mktemp("stranger")
    made = here / "environment"
    build = [
        uv,
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        str(here),
        "--offline",
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True, text=True)
    subprocess.run([uv, "venv", "--python", sys.executable, made], check=True, capture_output=True)
    (wheel,) = here.glob("*.whl")
    python = made / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--offline", "--no-deps", "--python", python, wheel], check=True, capture_output=True
    )
    packages = next((made / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


@pytest.fixture
def empty(installed: Path, engine: Engine, tmp_path: Path) -> Project:
    """A project that has nothing yet, in a directory that other users reach."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return Project(tmp_path, installed, engine.name)


@pytest.fixture
def project(empty: Project) -> Project:
    """The example, written out."""
    assert set(example()) == {"guestbook.py", "conftest.py", "office.toml", "test_guestbook.py", "sockets.yml"}
    for name, text in example().items():
        (empty.directory / name).write_text(text, encoding="utf-8")
    return empty


@pytest.fixture
def tutorial(empty: Project) -> Project:
    """What a reader of docs/tutorial-daemon.md has at its end: its files, and the subject file that `--init` wrote."""
    text = (ROOT / "docs" / "tutorial-daemon.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert set(files) == {"daemon.py", "better.py", "conftest.py", "test_server.py"}
    for name, content in files.items():
        (empty.directory / name).write_text(content, encoding="utf-8")
    command = ("python3", f"{empty.directory}/better.py", "{socket}", "{mode}")
    written = empty.command("harness", "check", "--engine", empty.engine, "--init", "--", *command)
    assert written.returncode == 0, written.stderr
    (empty.directory / "subject.toml").write_text(written.stdout, encoding="utf-8")
    return empty


@pytest.fixture
def change(project: Project) -> Callable[[str, str, str], None]:
    """Replace some text in a file of the project."""

    def replace(name: str, old: str, new: str) -> None:
        file = project.directory / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return replace
