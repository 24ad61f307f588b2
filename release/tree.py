"""A directory with the built wheel and what it needs, for a Python that need not be this one, from the registry."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from uv import find_uv_bin

from release.version import ROOT

if TYPE_CHECKING:
    from pathlib import Path

ARCHITECTURES = {"amd64": "x86_64-manylinux_2_36", "arm64": "aarch64-manylinux_2_36"}
"""Debian's and Docker's name of each, and uv's for the wheels that run on Debian 12 and newer."""


def install(wheel: Path, lock: str, python: str, architecture: str, tree: Path) -> None:
    """Make the tree: the versions are those of the lock, compared by its hashes, and nothing is compiled."""
    command = [find_uv_bin(), "pip", "install", "--quiet", "--no-config", "--target", str(tree)]
    command += ["--python-version", python, "--python-platform", ARCHITECTURES[architecture], "--only-binary", ":all:"]
    requirements = ["--require-hashes", "--requirement", str(ROOT / "locks" / f"{lock}.txt")]
    subprocess.run([*command, *requirements], check=True)
    subprocess.run([*command, "--no-deps", str(wheel)], check=True)
    (tree / ".lock").unlink(missing_ok=True)
