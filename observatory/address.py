"""Where a server is to be found if nobody says: its socket's path, and the variable that names another one.

In /tmp anybody may take a name that is free, and a server's is free whenever it doesn't run. So where
`$XDG_RUNTIME_DIR` is the user's alone, a server for this user listens there; at the well-known name it listens as well.
And a server whose socket is in a directory in which others may make some has a second one, in a directory of its own
beside it: hooks send there.

The system's server has an account of its own, and its socket in a directory in which root alone makes names: so whoever
owns that socket there is whom the administrator chose.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

DEFAULT_SOCKET: Final = "/tmp/claude-observatory.sock"
SYSTEM_SOCKET: Final = "/run/claude-observatory/observatory.sock"
"""Where the units for the system listen."""
SOCKET_VARIABLE: Final = "CLAUDE_UNIX_HOOK_WATCHER"
SOCKET_DEFAULT: Final = (
    f"${SOCKET_VARIABLE}, else claude-observatory.sock in $XDG_RUNTIME_DIR where that is the user's alone, else "
    f"{DEFAULT_SOCKET}, else the system's, {SYSTEM_SOCKET}"
)
"""The same for people."""

PRIVATE_DIRECTORY: Final = ".d"
"""What the name of a socket's private directory has at its end."""
PRIVATE_NAME: Final = "s"
"""The name of the socket in there."""

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
"""An access control list that lets others write shows as the group's bit, which is then its mask (acl(5))."""

LONGEST_PATH: Final = 103 if sys.platform == "darwin" or "bsd" in sys.platform else 107
"""Bytes of a Unix socket's path, without the zero byte that ends it (unix(7), unix(4))."""


def own_socket() -> str:
    """Where a server that is for its own user listens if nobody says."""
    return _runtime_socket() or DEFAULT_SOCKET


def default_socket(server_uids: Iterable[int] = ()) -> str:
    """Where to look for a server if nobody says.

    That is the environment's; else the first of those that are there now, if it was made by this user, by root or by
    one of `server_uids`; else the system's, if it is there; else where this user's own will be.
    """
    if named := os.environ.get(SOCKET_VARIABLE):
        return named
    own, trusted = own_socket(), {0, *_own_uid(), *server_uids}
    there = [path for path in (own, DEFAULT_SOCKET) if _is_socket_of(path, trusted)]
    there += [SYSTEM_SOCKET] if system_uids() else []
    return there[0] if there else own


def system_uids() -> frozenset[int]:
    """Whose the system's socket is; empty if it is not there, or if anybody but root could have put it there."""
    with suppress(OSError):
        found = os.lstat(SYSTEM_SOCKET)
        if stat.S_ISSOCK(found.st_mode) and is_shut(os.path.dirname(SYSTEM_SOCKET), {0}):
            return frozenset({found.st_uid})
    return frozenset()


def is_shut(directory: str, uids: Container[int]) -> bool:
    """Whether only these users may make a name in this directory, or in one above it. Raises OSError."""
    while True:
        found = os.lstat(directory)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in uids or found.st_mode & OTHERS_WRITE:
            return False
        if directory == "/":
            return True
        directory = os.path.dirname(directory)


def private_socket(path: str) -> str:
    """The second socket of a server whose socket is at `path`, if others may make sockets there."""
    return f"{path}{PRIVATE_DIRECTORY}/{PRIVATE_NAME}"


def _runtime_socket() -> str | None:
    """In `$XDG_RUNTIME_DIR`, if it's what the XDG Base Directory Specification says: this user's, with mode 0700."""
    directory = os.environ.get("XDG_RUNTIME_DIR", "").rstrip("/")
    path = f"{directory}/{os.path.basename(DEFAULT_SOCKET)}"
    if not directory.startswith("/") or len(os.fsencode(path)) > LONGEST_PATH:
        return None
    with suppress(OSError):
        found = os.lstat(directory)
        if stat.S_ISDIR(found.st_mode) and found.st_uid in _own_uid() and not found.st_mode & 0o077:
            return path
    return None


def _own_uid() -> tuple[int, ...]:
    """This process's effective uid, where there are uids."""
    if sys.platform == "win32":
        return ()
    return (os.geteuid(),)


def _is_socket_of(path: str, uids: set[int]) -> bool:
    with suppress(OSError):
        found = os.lstat(path)
        return stat.S_ISSOCK(found.st_mode) and found.st_uid in uids
    return False
