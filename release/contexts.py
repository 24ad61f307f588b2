"""Fill the contexts of the two images with what was built: `python -m release.contexts DIRECTORY`.

They are `DIRECTORY/images/server` and `DIRECTORY/images/harness`: a Dockerfile of `containers`, and for each
architecture the tree of packages that goes in. An engine builds each:
`docker build --build-arg BASE=IMAGE --build-arg TARGETARCH=amd64 DIRECTORY/images/server`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from release.tree import ARCHITECTURES, install
from release.version import ROOT

PYTHON = "3.13"
"""Debian 13's, which the Dockerfiles build on."""
LOCKS = {"server": "core", "harness": "containers"}
"""Each image, and the lock of what goes in beside the wheel."""


def fill(made: Path) -> Path:
    """Write the contexts; their directory."""
    (wheel,) = made.glob("*.whl")
    contexts = made / "images"
    shutil.rmtree(contexts, ignore_errors=True)
    for image, lock in LOCKS.items():
        shutil.copytree(ROOT / "containers" / image, contexts / image)
        for architecture in ARCHITECTURES:
            tree = contexts / image / "tree" / architecture
            install(wheel, lock, PYTHON, architecture, tree)
            # Programs, pages and units are for a prefix, which a tree is not.
            for unused in ("bin", "lib", "share"):
                shutil.rmtree(tree / unused, ignore_errors=True)
    return contexts


if __name__ == "__main__":
    (directory,) = sys.argv[1:]
    fill(Path(directory))
