"""Another user of this machine: processes with a uid and a gid of their own, and no other groups."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGER = 4242
"""A uid and gid that no account has: the kernel asks for none."""
PATH = "/usr/local/bin:/usr/bin:/bin"


def python() -> str:
    """A Python that a stranger may run: root's own may be in root's home."""
    own = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in own.parents):
        return str(own)
    found = shutil.which("python3", path=PATH)
    assert found is not None, f"no python3 in {PATH}, and {own} is not for others"
    return found


def does(program: str, *arguments: str) -> str:
    """Let the stranger run a Python program to its end: what it prints."""
    done = subprocess.run(
        [python(), "-I", "-c", program, *arguments],
        **_identity(),
        cwd="/",
        text=True,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@contextmanager
def keeps(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A program of the stranger's that has said `ready`, in a session of its own, until the end of the block."""
    with subprocess.Popen(
        [python(), "-I", "-u", "-c", program, *arguments],
        **_identity(),
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # where the kernel groups those, each has as much of the processor as any other
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def _identity() -> dict[str, Any]:
    return {"user": STRANGER, "group": STRANGER, "extra_groups": [], "env": {"PATH": PATH, "HOME": "/nonexistent"}}


def is_possible() -> bool:
    """Whether this process may start another user's."""
    return os.geteuid() == 0
