"""A program in the rehearsed interpreter, in a mount namespace that has neither /proc nor /sys."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN = (
    'mount --bind /proc "$1" && shift && mount -t tmpfs -o ro,size=4k none /sys'
    ' && mount -t tmpfs -o ro,size=4k,mode=0555 none /proc && exec "$@"'
)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One target's interpreter."""

    target: str
    python: Path

    def run(self, *arguments: str, directory: Path) -> int:
        """Run it with these arguments in a directory, whose packages it imports; its exit status."""
        unshare = shutil.which("unshare")
        assert unshare is not None
        # The shim's own, by which it tells of processes what the target's kernel does.
        kept = str(self.python.parents[1] / "proc")
        command = [unshare, "--mount", "sh", "-c", HIDDEN, "sh", kept, str(self.python), *arguments]
        return subprocess.run(command, cwd=directory, env=self._environment(directory), check=False).returncode

    def pytest(self, *arguments: str, directory: Path) -> int:
        """Run pytest; its exit status."""
        return self.run("-m", "pytest", "-p", "no:cacheprovider", *arguments, directory=directory)

    def _environment(self, directory: Path) -> dict[str, str]:
        home = self.python.parents[1]
        return {
            **{name: value for name, value in os.environ.items() if name != "CI"},
            "PATH": f"{home / 'bin'}:{home / 'tools'}",
            "LD_LIBRARY_PATH": str(home / "lib"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HARNESS_THROWAWAY": "1",
            "HYPOTHESIS_NO_PLUGINS": "1",  # trio brings one, and needs kqueue where the target has it
            "PYTHONPATH": str(directory),
        }
