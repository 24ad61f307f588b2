"""Things that are made once and kept: where, under which lock, and what a person sees of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNUSED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
"""Files of Debian's packages that no place needs."""


def cache() -> Path:
    """Where things that can be made again are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "claude-observatory-harness"


@contextlib.contextmanager
def locked(what: str) -> Iterator[None]:
    """Hold a lock that ends with this process, so that two workers don't make the same thing."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{what}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def debian(suite: str, archive: Path, variant: str, packages: Sequence[str], options: Sequence[str] = ()) -> None:
    """Make a tar archive of Debian's packages by mmdebstrap(1). Raises PlaceError with its last words."""
    if shutil.which("mmdebstrap") is None:
        raise PlaceError(
            f"a file system of {suite} takes mmdebstrap, which is not installed: apt-get install mmdebstrap"
        )
    command = ["mmdebstrap", f"--variant={variant}", f"--include={','.join(packages)}", *options]
    command += [f"--dpkgopt=path-exclude={path}" for path in UNUSED]
    done = subprocess.run([*command, suite, str(archive)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if line.startswith("E:")), last_line(done.stderr))
        raise PlaceError(f"mmdebstrap could not make a file system of {suite}: {said}")


def say(text: str) -> None:
    """Progress, on standard error."""
    print(f"harness: {text}", file=sys.stderr, flush=True)


def last_line(text: str) -> str:
    """What a program said last: why it failed."""
    return (text.strip().splitlines() or ["it did not say why"])[-1].strip()
