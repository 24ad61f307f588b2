"""A directory for a socket in which nobody but this user can make one, beside a name that anybody may take."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from observatory.address import OTHERS_WRITE
from observatory.errors import ExitStatus, ObservatoryError
from observatory.ownership import make_own_directory

MODE: Final = 0o755


def others_may_bind(directory: str) -> bool:
    """Whether others than root and this user may make sockets in a directory. Raises OSError."""
    found = os.stat(directory)
    return found.st_uid not in {0, os.geteuid()} or bool(found.st_mode & OTHERS_WRITE)


def make_private_directory(path: str) -> None:
    """Make a directory for this user's socket, with mode 0755 whatever the umask says of others, unless it is there.

    It is not removed again: somebody else could take its name then, and keep hooks from sending. Raises
    ObservatoryError if something else is there, or another user's directory.
    """
    try:
        made = make_own_directory(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise ObservatoryError(
                f"{path} belongs to uid {found.st_uid}, not to uid {os.geteuid()}, and stays as it is",
                ExitStatus.NOT_PERMITTED,
            )
        mode = MODE if made else stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE
        if mode != stat.S_IMODE(found.st_mode):
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _refused(path: str, error: OSError) -> ObservatoryError:
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return ObservatoryError(f"{path} is not a directory, and stays as it is", ExitStatus.NOT_PERMITTED)
    status = ExitStatus.NOT_PERMITTED if isinstance(error, PermissionError) else ExitStatus.FAILED
    return ObservatoryError(f"cannot make the directory {path}: {error.strerror}", status)
