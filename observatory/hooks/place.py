"""What is seen of a socket's directory when its hook is installed, so that the hook need not look for it each time.

Only the user's own settings on this machine may rely on it: a project's settings go to other users and machines.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from observatory.address import OTHERS_WRITE, is_shut

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observatory.hooks.command import Place


def place_of(socket: str, server_uids: Iterable[int] = ()) -> Place:
    """Whose the directory of a socket is, and whether anybody else may make a name on the way to it.

    `unknown` where it can't be looked at, and of any but a shared one where a symbolic link leads to it.
    """
    if sys.platform == "win32":
        return "unknown"
    own, directory = os.geteuid(), os.path.dirname(socket)
    try:
        found = os.stat(directory)
        if found.st_mode & stat.S_IWOTH:
            return "shared"
        if os.path.realpath(directory) != directory:
            return "unknown"
        owners = {found.st_uid} | _owner_of_socket(socket)
        if found.st_uid == own:
            shut = not found.st_mode & (OTHERS_WRITE | stat.S_ISVTX)
            return "own" if shut and owners == {own} else "unknown"
        trusted = {0, own, *server_uids}
        if own == 0 or not owners <= trusted:
            return "unknown"
        return "sure" if is_shut(directory, trusted) else "unknown"
    except OSError:
        return "unknown"


def _owner_of_socket(path: str) -> set[int]:
    """Whose a socket is, if there is one. Raises OSError for what is no socket, or can't be looked at."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return set()
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(path)
    return {found.st_uid}
