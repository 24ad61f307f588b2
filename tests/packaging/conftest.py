"""What is published, built once for all workers: a wheel, an sdist, and environments with one extra or another."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
EXTRAS: tuple[str, ...] = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
)
INSTALLS: dict[str, tuple[str, ...]] = {"core": (), **{extra: (extra,) for extra in EXTRAS}, "all": EXTRAS}
"""Each way to install the distribution, and the extras that go with it."""


def brings(install: str) -> set[str]:
    """The extras that an install has, with those that others of them require."""
    extras = set(INSTALLS[install])
    return extras | ({"harness"} if extras & {"docker", "subjects", "pytest"} else set())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock beside a path, so that one worker makes it."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def everybodys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def built(everybodys: Path) -> Path:
    """A directory with the wheel and the sdist: `$RELEASE`, or those of the working tree, built now."""
    if "RELEASE" in os.environ:
        return Path(os.environ["RELEASE"])
    made = everybodys / "built"
    with locked(made):
        if not made.exists():
            build = [find_uv_bin(), "build", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(made)]
            subprocess.run([*build, "--quiet", str(ROOT)], check=True)
    return made


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    """The sdist."""
    (found,) = built.glob("*.tar.gz")
    return found


@pytest.fixture(scope="session")
def environment(everybodys: Path, wheel: Path) -> Callable[[str], Path]:
    """Install the wheel in one of the ways of `INSTALLS`, once: the environment's directory."""

    def make(install: str) -> Path:
        made = everybodys / f"environment-{install}"
        with locked(made):
            if not (made / "installed").exists():
                uv = find_uv_bin()
                subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, made], check=True)
                extras = f"[{','.join(INSTALLS[install])}]" if INSTALLS[install] else ""
                # The versions are those of the lock; what is not in the lock is not installed.
                command = [uv, "pip", "install", "--quiet", "--python", str(made / "bin" / "python")]
                command += ["--constraint", str(ROOT / "locks" / "harness.txt"), f"{wheel}{extras}"]
                subprocess.run(command, check=True)
                (made / "installed").touch()
        return made

    return make
