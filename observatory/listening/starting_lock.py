"""One start or end of a server at a time for each socket's path, by a lock that strangers can neither take nor plant.

flock(2) asks for no more than a descriptor, so a lock on a directory is anybody's who may read it. This one is on a
file that is its owner's only, and lies where nobody else can make one of its name: beside the socket if its directory
admits no others, else in the user's runtime directory or in the state directory of the user's home. Both are found by
the uid and not by the environment, so that two servers of one user look in the same place. A user who has neither gets
a directory beside the socket, whose name others could have taken. Servers of different users need no lock: neither
touches the other's socket.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError
from observatory.ownership import make_own_directory, open_own_file, strangers

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE: Final = 5.0
"""Seconds to wait for another start or end of this user's."""
RUNTIME: Final = "/run/user"
"""Where systemd-logind makes a directory for each user who is logged in (pam_systemd(8))."""
_PAUSE: Final = 0.01
_OWN: Final = ".claude-observatory-"
"""The name, less the uid, of a directory beside the socket."""


@contextlib.contextmanager
def starting_lock(path: str) -> Iterator[bool]:
    """Keep this user's other servers from starting or ending at `path` meanwhile; False if there's no place for a lock.

    A killed holder's lock ends with it. The file is removed afterwards.
    """
    held = _locked(path)
    if held is None:
        yield False
        return
    name, descriptor = held
    try:
        yield True
    finally:
        remove_lock_file(name)
        os.close(descriptor)


def remove_lock_file(name: str) -> None:
    """While it is locked: who opened it meanwhile finds that it has gone, and makes another."""
    with contextlib.suppress(OSError):
        os.unlink(name)
        if _OWN in name:
            os.rmdir(os.path.dirname(name))


def lock_file(path: str) -> str | None:
    """Where the lock for a socket's path lies, which ends in `.lock`; `None` if there is no place for it."""
    directory, name = os.path.split(os.path.abspath(path))
    try:
        if strangers(directory) is None and os.access(directory, os.W_OK):
            return os.path.join(directory, f".{name}.lock")
        where = os.stat(directory)
    except OSError:
        return None
    # The directory by its identity: it may be reached by several paths.
    known = hashlib.sha256(f"{where.st_dev} {where.st_ino} {name}".encode(errors="surrogateescape")).hexdigest()[:32]
    for candidate in (*_own_directories(), Path(directory, f"{_OWN}{os.geteuid()}")):
        with contextlib.suppress(OSError):
            make_own_directory(str(candidate))
            found = candidate.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if ours and not stat.S_IMODE(found.st_mode) & 0o022:
                return str(candidate / f"{known}.lock")
    return None


def _own_directories() -> Iterator[Path]:
    """Directories of this user's own that are found by the uid."""
    runtime = Path(RUNTIME, str(os.geteuid()))
    if runtime.is_dir():
        yield runtime / "claude-observatory"
    with contextlib.suppress(KeyError):
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        if home.is_dir():
            for parent in (home / ".local", home / ".local" / "state"):
                with contextlib.suppress(OSError):
                    make_own_directory(str(parent))
            yield home / ".local" / "state" / "claude-observatory"


def _locked(path: str) -> tuple[str, int] | None:
    """The lock file's name, and the file open and locked; `None` if it is held too long, or can't be made."""
    until = time.monotonic() + PATIENCE
    while (name := lock_file(path)) is not None and time.monotonic() <= until:
        try:
            descriptor = open_own_file(name, os.O_RDWR, make=True)
        except (ObservatoryError, OSError):
            if _OWN not in name:
                return None
            time.sleep(_PAUSE)  # the directory may have gone with another's lock
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:  # no locks on this file system
            os.close(descriptor)
            return None
        else:
            if _is_still(name, descriptor):
                return name, descriptor
        os.close(descriptor)
    return None


def _is_still(name: str, descriptor: int) -> bool:
    """Whether the file that is open is the one of that name, and has not been removed by who held it before."""
    try:
        there = os.lstat(name)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))
