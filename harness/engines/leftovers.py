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
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engines.cache.directory import cache
from harness.engines.protocol import PlaceError
from harness.inside.agent.mounts import mounted
from harness.inside.libc import unmount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

LATE = 60.0
"""Seconds after which nothing comes any more of what was asked for by a process that is dead."""


@dataclass(slots=True)
class Claim:
    """What this process may leave behind: `what` kind of thing, and `which`. `lock` is the open file that is locked."""

    file: Path
    what: str
    which: str
    lock: BinaryIO

    def release(self) -> None:
        """It is gone, or takes care of itself from now on."""
        if not self.lock.closed:
            self.file.unlink(missing_ok=True)
            self.lock.close()

    def leave(self) -> None:
        """It stays for the next start."""
        self.lock.close()

    def is_late(self) -> bool:
        """Whether all that was asked for under this claim has come by now."""
        return time.time() - os.fstat(self.lock.fileno()).st_mtime > LATE


def claim(what: str, which: str) -> Claim:
    """Say that this will be made. Raises PlaceError where there is no directory for it."""
    file = _folder() / f"{secrets.token_hex(8)}.json"
    hidden = file.with_suffix(".new")  # a claim has its name when it is locked and whole
    lock = hidden.open("xb", buffering=0)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.write(json.dumps([what, which]).encode())
    hidden.rename(file)
    return Claim(file, what, which, lock)


def dead(what: str) -> Iterator[Claim]:
    """The claims to such a thing whose processes have all ended, each locked while it is looked at.

    Whoever has taken away what it tells of releases it, and else leaves it.
    """
    for file in _folder().glob("*.json"):
        with contextlib.suppress(OSError, ValueError):  # another start was faster
            lock = file.open("rb", buffering=0)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                kind, which = json.loads(lock.read())
                ours = os.fstat(lock.fileno()).st_uid == os.geteuid() and os.fstat(lock.fileno()).st_nlink == 1
            except BaseException:
                lock.close()
                raise
            if ours and kind == what:
                yield Claim(file, kind, which, lock)
            else:
                lock.close()


def make_directory(prefix: str, parent: str | None = None, mode: int = 0o700) -> Claim:
    """Make a directory for temporary files, after taking away those of dead ones; the claim's `which` is its path."""
    clear_directories()
    made = claim("directory", f"{Path(parent or tempfile.gettempdir()).resolve()}/{prefix}{secrets.token_hex(4)}")
    try:
        os.mkdir(made.which, mode)
    except BaseException:
        made.release()  # whatever is there is another's
        raise
    return made


@contextlib.contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """A directory that goes away with the block, or at the next start."""
    made = make_directory(prefix)
    try:
        yield Path(made.which)
    finally:
        remove(made)


def clear_directories() -> None:
    """Take away the directories of dead ones, with what is mounted in them."""
    for left in dead("directory"):
        remove(left)


def remove(left: Claim) -> None:
    """Take away the directory of a claim, if it is still there and this user's; the claim stays if that fails."""
    if left.lock.closed:
        return
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(left.which)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            try:
                _take_away(left.which)
            except OSError:
                left.leave()  # something in there is still in use: the next start tries again
                return
    left.release()


def _take_away(directory: str) -> None:
    if sys.platform == "linux":
        for path in reversed([path for path in mounted().values() if path.startswith(f"{directory}/")]):
            unmount(path)
    shutil.rmtree(directory)


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
