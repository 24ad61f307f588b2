"""What the users and groups of this machine are called, by their numbers. None of it is the kernel's word.

Source: getpwnam(3), getgrnam(3). Where there is no such database, a number is all that there is.
"""

from __future__ import annotations

import functools
import sys

from observatory.errors import ExitStatus, ObservatoryError
from observatory.identity.credentials import NO_ID

if sys.platform != "win32":
    import grp
    import pwd


def uid_of(user: str) -> int:
    """A uid from a user's name or number. Raises ObservatoryError."""
    if user.isascii() and user.isdigit():
        number = int(user)
        if number >= NO_ID:
            raise ObservatoryError(f"{user} is not a uid: those are below {NO_ID}", ExitStatus.USAGE)
        return number
    if sys.platform != "win32":
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            pass
    raise ObservatoryError(f"there is no user named {user!r} on this machine", ExitStatus.USAGE)


def user_name(uid: int | None) -> str:
    """A user's name, or the number where it has none, or `?` where the kernel could not translate it."""
    if uid is None:
        return "?"
    if sys.platform != "win32":
        try:
            return pwd.getpwuid(uid).pw_name
        except (KeyError, OverflowError):
            pass
    return str(uid)


@functools.lru_cache(maxsize=1024)
def user_of_row(uid: int | None) -> str:
    """The same for rows, of which many are of one user: it is looked up once."""
    return user_name(uid)


def group_name(gid: int | None) -> str:
    """A group's name, or the number where it has none, or `?` where the kernel could not translate it."""
    if gid is None:
        return "?"
    if sys.platform != "win32":
        try:
            return grp.getgrgid(gid).gr_name
        except (KeyError, OverflowError):
            pass
    return str(gid)
