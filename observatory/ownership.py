"""What on disk is this user's alone: files that nobody else can have made or written, and who else may make names.

In a directory where others may write, whatever has the right name may be theirs: a pipe that nobody reads from, a link
to elsewhere, a file that they hold open and write to. So a file is opened first, without waiting and without following
a link, and then asked whose it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from observatory.errors import ExitStatus, ObservatoryError
from observatory.identity.linux import known_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

PRIVATE: Final = 0o600
"""The mode of a file that is its owner's only."""
ROOT: Final = 0
_CAREFULLY: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def open_own_file(path: str, access: int, *, make: bool = False, narrow: bool = False, mode: int = PRIVATE) -> int:
    """Open a file of this user's alone: regular, with one name, and of a mode that lets in nobody else.

    `access` is os.O_RDONLY, O_WRONLY or O_RDWR, perhaps with O_APPEND. With `make`, a file that is not there is made,
    with mode 0600 under every umask. With another `mode` it's made with that, and lets in whom that lets in. With
    `narrow`, one that others might read, but not write, is made 0600 too. Raises ObservatoryError, which names the
    file, for what is not like that, and FileNotFoundError without `make`.
    """
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(path, access | os.O_CREAT | os.O_EXCL | _CAREFULLY, PRIVATE)
                os.fchmod(descriptor, mode)
                return descriptor
        descriptor = os.open(path, access | _CAREFULLY)
    except FileNotFoundError:
        if make:
            raise ObservatoryError(
                f"cannot make {path}: there is no directory {os.path.dirname(path) or '.'}"
            ) from None
        raise
    except OSError as error:
        raise _refused(path, error) from None
    try:
        found = os.fstat(descriptor)
        if narrow and stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022:
            os.fchmod(descriptor, PRIVATE)
            found = os.fstat(descriptor)
        _check(path, found, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_own_directory(path: str) -> bool:
    """Make a directory of this user's alone, with mode 0700 under every umask; False if something bears the name.

    Raises OSError if it can't be made.
    """
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    # A umask may have taken the owner's own bits, so that it can't be opened; and the path could be another's by now.
    if sys.platform != "linux":  # which alone opens what may not be read (O_PATH)
        made = os.lstat(path)
        if made.st_uid == os.geteuid() and made.st_mode & 0o777 != 0o700:
            os.chmod(path, 0o700, follow_symlinks=False)
        return True
    handle = os.open(path, os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_PATH)
    try:
        made = os.fstat(handle)
        if made.st_uid == os.geteuid() and stat.S_IMODE(made.st_mode) != 0o700:
            os.chmod(f"/proc/self/fd/{handle}", 0o700)
    finally:
        os.close(handle)
    return True


def check_own_file(path: str) -> None:
    """Raise ObservatoryError unless `path` is free or a file of this user's alone, as `open_own_file` has it."""
    with contextlib.suppress(FileNotFoundError):
        _check(path, os.lstat(path))


def strangers(directory: str) -> str | None:
    """Who besides root and this user may make names in a directory, in words; `None` if nobody.

    The group counts unless it is this user's own private group (that of the user's own name, which distributions give
    to each user). An ACL is seen as the group bits, which are then its mask (acl(5)). Raises OSError if it can't be
    looked at.
    """
    found = os.stat(directory)
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid not in (ROOT, os.geteuid()):
        unknown = known_uid(found.st_uid) is None
        return "its owner, who has no number here" if unknown else f"uid {found.st_uid}, who owns it"
    if mode & stat.S_IWOTH:
        return "everyone"
    if mode & stat.S_IWGRP and not _is_own_group(found.st_gid, directory):
        return f"its group {found.st_gid}"
    return None


def is_sticky(directory: str) -> bool:
    """Whether others' names in a directory can't be taken away there (the restricted deletion flag of chmod(1))."""
    return bool(os.stat(directory).st_mode & stat.S_ISVTX)


def _is_own_group(gid: int, directory: str) -> bool:
    import grp  # noqa: PLC0415 - not on every platform, and seldom asked
    import pwd  # noqa: PLC0415 - likewise

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    private = user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    return private and not _has_acl(directory)


def _has_acl(path: str) -> bool:
    if sys.platform != "linux":
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except OSError:
        return False


def _check(path: str, found: os.stat_result, mode: int = PRIVATE) -> None:
    for sentence in _faults(path, found, mode):
        raise ObservatoryError(sentence, ExitStatus.NOT_PERMITTED)


def _faults(path: str, found: os.stat_result, mode: int) -> Iterator[str]:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS if test(found.st_mode)), "something else")
        yield f"{path} is {kind} and not a regular file: it stays as it is, and is not used"
    elif found.st_uid != os.geteuid():
        yield f"{path} belongs to uid {found.st_uid} and not to uid {os.geteuid()}: it stays as it is, and is not used"
    elif found.st_nlink != 1:
        yield f"{path} has {found.st_nlink} names and should have one: whoever made the others reaches it by them"
    elif stat.S_IMODE(found.st_mode) & 0o077 & ~mode:
        yield (
            f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, so others may have read or written it: look at it,"
            f" and chmod {mode:04o} or remove it"
        )


def _refused(path: str, error: OSError) -> ObservatoryError:
    if error.errno == errno.ELOOP:
        return ObservatoryError(f"{path} is a symbolic link, which is not followed", ExitStatus.NOT_PERMITTED)
    if error.errno in (errno.ENXIO, errno.EISDIR, errno.ENODEV):
        return ObservatoryError(
            f"{path} is not a regular file: it stays as it is, and is not used", ExitStatus.NOT_PERMITTED
        )
    if isinstance(error, PermissionError):
        return ObservatoryError(f"uid {os.geteuid()} may not open {path}", ExitStatus.NOT_PERMITTED)
    return ObservatoryError(f"cannot open {path}: {error.strerror}")
