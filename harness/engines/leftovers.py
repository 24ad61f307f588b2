"""What a place leaves behind if all that would have taken it away is killed, and how the next start takes it away.

Before something outlasting is made, a file says what it will be (a claim), locked by flock(2) as long as a process
holds it open that still takes care: this one, and whoever inherits the descriptor. A claim that nobody has locked is a
dead one's. Claims are files of this user's alone, in a directory of this user's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.cache.directory import cache
from harness.engines.protocol import PlaceError
from harness.inside.agent.mounts import mounted
from harness.inside.libc import unmount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATE = 60.0
"""Seconds after which nothing comes any more of what was asked for by a process that is dead."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What this process may leave behind: `what` kind of thing, and `which`. `descriptor` holds the lock."""

    file: Path
    what: str
    which: str
    descriptor: int

    def release(self) -> None:
        """It is gone, or takes care of itself from now on."""
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()
        os.close(self.descriptor)

    def is_late(self) -> bool:
        """Whether all that was asked for under this claim has come by now."""
        return time.time() - os.fstat(self.descriptor).st_mtime > LATE


def claim(what: str, which: str) -> Claim:
    """Say that this will be made. Raises PlaceError where there is no directory for it."""
    file = _folder() / f"{secrets.token_hex(8)}.json"
    hidden = file.with_suffix(".new")  # a claim has its name when it is locked and whole
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(descriptor, json.dumps([what, which]).encode())
    hidden.rename(file)
    return Claim(file, what, which, descriptor)


def dead(what: str) -> Iterator[Claim]:
    """The claims to such a thing whose processes have all ended, each locked while it is looked at.

    Whoever has taken away what it tells of releases it.
    """
    for file in _folder().glob("*.json"):
        with contextlib.suppress(OSError, ValueError):  # another start was faster
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.geteuid() and os.fstat(descriptor).st_nlink == 1:
                    kind, which = json.loads(os.pread(descriptor, 4096, 0))
                    if kind == what:
                        yield Claim(file, kind, which, os.dup(descriptor))
            finally:
                os.close(descriptor)


def clear_directories() -> None:
    """Take away the directories of dead ones, with what is mounted in them."""
    for left in dead("directory"):
        remove(left)


def remove(left: Claim) -> None:
    """Take away the directory of a claim, if it is still there and this user's; the claim stays if that fails."""
    try:
        found = os.lstat(left.which)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            if sys.platform == "linux":
                below = [path for path in mounted().values() if path.startswith(f"{left.which}/")]
                for path in reversed(below):
                    unmount(path)
            shutil.rmtree(left.which)
    except FileNotFoundError:
        pass
    except OSError:
        os.close(left.descriptor)  # something in there is still in use: the next start tries again
        return
    left.release()


def _folder() -> Path:
    """The directory of claims. Raises PlaceError if it can't be had, or if others can write in it."""
    folder = cache() / "claims"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except OSError as error:
        raise PlaceError(f"{folder}, where places are noted that must be taken away, {error.strerror}") from None
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PlaceError(f"{folder} must be this user's, and writable for nobody else: places are noted there")
    return folder
