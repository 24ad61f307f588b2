"""A directory in which nobody but this user can make a socket, even where others may write beside it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Final

from observatory.errors import ExitStatus, ObservatoryError

MODE: Final = 0o755
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def make_own_directory(path: str) -> None:
    """Make a directory for this user's sockets, with mode 0755 whatever the umask says of others, unless it is there.

    It is not removed again, since its name would be free then. Raises ObservatoryError if something else is there, or
    another user's directory.
    """
    made = False
    try:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            made = True
        # The sticky bit of /tmp keeps it where it is from now on: the name means the same when the socket is bound.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error) from None
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid():
            raise ObservatoryError(
                f"{path} belongs to uid {found.st_uid}, not to uid {os.geteuid()}, and stays as it is: say by --socket"
                " where to listen, in a directory of this user's own",
                ExitStatus.NOT_PERMITTED,
            )
        mode = MODE if made else stat.S_IMODE(found.st_mode) & ~_OTHERS_WRITE
        if mode != stat.S_IMODE(found.st_mode):
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _refused(path: str, error: OSError) -> ObservatoryError:
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return ObservatoryError(
            f"{path} is no directory, and stays as it is: say by --socket where to listen", ExitStatus.NOT_PERMITTED
        )
    status = ExitStatus.NOT_PERMITTED if isinstance(error, PermissionError) else ExitStatus.FAILED
    return ObservatoryError(
        f"cannot make {path} for a socket: {error.strerror}; say where to listen by --socket", status
    )
