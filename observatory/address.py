"""Where a server is to be found if nobody says: its sockets' paths, and the variable that names another one.

In /tmp anybody may take a name that is free, and a server's is free whenever it doesn't run. So a server whose socket
nobody has named listens in a directory in which nobody but its user can make anything, and there hooks send: in
`$XDG_RUNTIME_DIR`, where that is the user's alone, or in a directory of the user's in /tmp, for a server that lets
others in. Besides it listens at the well-known name, for clients that know no other.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DEFAULT_SOCKET: Final = "/tmp/claude-observatory.sock"
SOCKET_VARIABLE: Final = "CLAUDE_UNIX_HOOK_WATCHER"
SOCKET_DEFAULT: Final = (
    f"${SOCKET_VARIABLE}, else claude-observatory.sock in $XDG_RUNTIME_DIR or in /tmp/claude-observatory-UID, else "
    f"{DEFAULT_SOCKET}"
)
"""The same for people: what `default_socket` looks for."""

LONGEST_PATH: Final = 103 if sys.platform == "darwin" or "bsd" in sys.platform else 107
"""Bytes of a Unix socket's path, without the zero byte that ends it (unix(7), unix(4))."""

_NAME: Final = "claude-observatory.sock"
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def nominal_socket() -> str:
    """The name by which a server is called if nobody says: the environment's, else the well-known one.

    Its database and its readers' cursors are kept by this name, wherever it listens.
    """
    return os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET


def open_directory(uid: int | str) -> str:
    """A user's own directory in /tmp, which others may search: the server makes it once, and it stays."""
    return f"/tmp/claude-observatory-{uid}"


def own_socket(*, lets_others_in: bool = False) -> str:
    """Where a server of this user's listens if nobody says."""
    directory = None if lets_others_in else _runtime_directory()
    return f"{directory or open_directory(os.geteuid())}/{_NAME}"


def hook_socket(server_uids: Iterable[int] = ()) -> str:
    """Where hooks are to send if nobody says.

    That is the first of those that are there now: this user's own, those of the users who are trusted besides, root's.
    If there is none, it is where this user's own will be.
    """
    return os.environ.get(SOCKET_VARIABLE) or next(_present(server_uids), own_socket())


def default_socket(server_uids: Iterable[int] = ()) -> str:
    """Where to ask a server if nobody says: where hooks send, else at the well-known name if a socket is there."""
    found = os.environ.get(SOCKET_VARIABLE) or next(_present(server_uids), None)
    return found or (DEFAULT_SOCKET if _is_socket(DEFAULT_SOCKET) else own_socket())


def _present(server_uids: Iterable[int]) -> Iterator[str]:
    """The sockets that are there, in directories in which nobody else can have made them."""
    runtime = _runtime_directory()
    own = [] if runtime is None else [runtime]
    uids = dict.fromkeys((os.geteuid(), *sorted(server_uids), 0))
    others = (directory for uid in uids if _is_of_one_user(directory := open_directory(uid), uid))
    for directory in (*own, *others):
        if _is_socket(path := f"{directory}/{_NAME}"):
            yield path


def _runtime_directory() -> str | None:
    """`$XDG_RUNTIME_DIR`, where it's what the XDG Base Directory Specification says: this user's, with mode 0700."""
    directory = os.environ.get("XDG_RUNTIME_DIR", "").rstrip("/")
    if not directory.startswith("/") or len(os.fsencode(f"{directory}/{_NAME}")) > LONGEST_PATH:
        return None
    return directory if _is_of_one_user(directory, os.geteuid(), stat.S_IRWXG | stat.S_IRWXO) else None


def _is_of_one_user(directory: str, uid: int, withheld: int = _OTHERS_WRITE) -> bool:
    with suppress(OSError):
        found = os.lstat(directory)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & withheld
    return False


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    return False
