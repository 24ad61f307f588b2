"""Making the socket's file, and removing it.

Facts: a new socket's mode is what fchmod() set on the descriptor before bind(), less the umask
(net/unix/af_unix.c, `unix_bind_bsd`); fchmod() after bind() does nothing to the file; connect() to a socket that
is bound and does not listen is refused. So the file is born with mode 0000, gets its group, then its mode, and
listens last: at no moment does it admit anyone whom the finished one doesn't, whatever the umask, which is the
process's and not a thread's and is left alone.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import re
import socket
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.address import LONGEST_PATH
from observatory.errors import ExitStatus, ObservatoryError
from observatory.listening import serving_lock
from observatory.listening.exclusive_rename import rename_exclusively
from observatory.listening.starting_lock import starting_lock
from observatory.ownership import make_own_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_MODE: Final = 0o660
PRIVATE_NAME: Final = "s"
"""The name of a socket until it has its own."""
BACKLOG: Final = 65535
"""Connections that may wait to be accepted: more than any kernel allows, which lowers it to what it does allow."""


@dataclass(frozen=True, slots=True)
class Specification:
    """What socket is asked for: where, with which mode bits, and of which group (None: what the kernel gives)."""

    path: str
    mode: int = DEFAULT_MODE
    group: int | None = None


@dataclass(slots=True)
class Listener:
    """A listening socket and, where this process made the file, what is needed to remove that file and no other."""

    sock: socket.socket
    path: str
    mode: int
    owner: int
    group: int
    inode: tuple[int, int] | None = field(default=None)
    serving: serving_lock.ServingLock | None = field(default=None)
    """Held for as long as it listens, where no errno tells that it does."""

    def remove(self) -> None:
        """Take the name away, if it still is this socket's. The descriptor stays open.

        To be called before the socket is closed: as long as it's open its inode number can't be another file's.
        """
        if self.inode is None:
            return
        with starting_lock(self.path):
            _unlink(self.path, self.inode)
            if self.serving is not None:
                self.serving.release()
                self.serving = None
        self.inode = None


def parse_mode(text: str) -> int:
    """Mode bits from one to four octal digits. Raises ValueError with a sentence for everything else."""
    if not re.fullmatch(r"[0-7]{1,4}", text, re.ASCII):
        raise ValueError(f"mode {text!r} is not one to four octal digits, such as 0660")
    mode = int(text, 8)
    if mode > 0o777:
        raise ValueError(
            f"mode {text!r} has setuid, setgid or sticky bits, which mean nothing on a socket: use 0{mode & 0o777:03o}"
        )
    return mode


def group_number(text: str) -> int:
    """A gid from a group's name or number. Raises ValueError with a sentence if there is no such group."""
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        number = int(text)
        if number >= 0xFFFF_FFFF:
            raise ValueError(f"group {text} is not a gid: those are below 4294967295")
        return number
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise ValueError(f"there is no group named {text!r} on this machine") from None


def listen(wanted: Specification) -> Listener:
    """Make the socket file and listen on it. Raises ObservatoryError; nothing of anyone else's is ever removed.

    A file that a dead server of our own uid left is replaced. Whoever starts at the same time waits.
    """
    _check_path(wanted.path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with starting_lock(wanted.path) as locked, contextlib.ExitStack() as undo:
            serving = serving_lock.take(wanted.path) if serving_lock.NEEDED else None
            if serving is not None:
                undo.callback(serving.release)
            _bind(sock, wanted.path, may_replace=locked, serving=serving)
            listener = _finish(sock, wanted)
            listener.serving = serving
            undo.pop_all()
    except BaseException:
        sock.close()
        raise
    sock.setblocking(False)
    return listener


def _finish(sock: socket.socket, wanted: Specification) -> Listener:
    """From a bound socket that nobody may connect to, to a listening one with the group and the mode asked for."""
    with _handle(wanted.path) as (handle, found):
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
            raise ObservatoryError(f"{wanted.path} was replaced by someone else while it was being made")
        inode = (found.st_dev, found.st_ino)
        try:
            _set_group(handle, wanted)
            os.chmod(handle, wanted.mode)
            sock.listen(BACKLOG)
        except BaseException:
            _unlink(wanted.path, inode)
            raise
        made = os.stat(handle)
    return Listener(sock, wanted.path, stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid, inode)


def _unlink(path: str, inode: tuple[int, int]) -> None:
    """Remove the name `path` if it still is that of `inode`."""
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(path)
        if (found.st_dev, found.st_ino) == inode:
            os.unlink(path)


def _set_group(handle: str, wanted: Specification) -> None:
    if wanted.group is None:
        return
    try:
        os.chown(handle, -1, wanted.group)
    except PermissionError:
        raise ObservatoryError(
            f"cannot give {wanted.path} to group {wanted.group}: uid {os.geteuid()} is not a member of it",
            ExitStatus.NOT_PERMITTED,
        ) from None


def _bind(
    sock: socket.socket, path: str, *, may_replace: bool, serving: serving_lock.ServingLock | None = None
) -> None:
    with contextlib.suppress(OSError):  # EINVAL outside Linux: there, not listening yet is what keeps everyone out
        os.fchmod(sock.fileno(), 0)
    try:
        _bind_here(sock, path)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EEXIST}:
            raise _explained(error, path) from None
    else:
        return
    _remove_stale(path, may_replace=may_replace, serving=serving)
    try:
        _bind_here(sock, path)
    except OSError as error:
        raise _explained(error, path) from None


def _bind_here(sock: socket.socket, path: str) -> None:
    """Bind at the path itself and not behind a link. Raises OSError.

    On macOS and NetBSD bind() follows a link that leads nowhere (XNU: bsd/kern/uipc_usrreq.c, `unp_bind`, FOLLOW;
    NetBSD: sys/kern/uipc_usrreq.c, the same), so that whoever may make one could have a socket made anywhere. There it
    is bound in a directory of our own and then gets its name.
    """
    if not sys.platform.startswith(("darwin", "netbsd")):
        sock.bind(path)
        return
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    directory, name = os.path.split(os.path.abspath(path))
    private = os.path.join(directory, f".{os.urandom(8).hex()}")
    before = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
    try:
        make_own_directory(private)
        try:
            os.chdir(private)  # an address need not be longer for it
            sock.bind(PRIVATE_NAME)
            try:
                rename_exclusively(os.path.join(private, PRIVATE_NAME), os.path.join(directory, name))
            except BaseException:
                os.unlink(PRIVATE_NAME)
                raise
        finally:
            os.fchdir(before)
            os.rmdir(private)
    finally:
        os.close(before)


def _remove_stale(path: str, *, may_replace: bool, serving: serving_lock.ServingLock | None) -> None:
    """Remove what a dead server of our own uid left at `path`. Raises ObservatoryError if it's anything else."""
    try:
        with _handle(path) as (handle, found):
            if not stat.S_ISSOCK(found.st_mode):
                raise ObservatoryError(
                    f"{path} is taken by {_kind(found.st_mode)}, which stays as it is: choose another --socket"
                )
            if found.st_uid != os.geteuid():
                raise ObservatoryError(
                    f"{path} is a socket of uid {found.st_uid}, not of uid {os.geteuid()}, and stays as it is:"
                    " choose another --socket"
                )
            dead = serving is not None and serving.left
            if not dead and _is_live(handle, path, stat.S_IMODE(found.st_mode)):
                raise ObservatoryError(f"a server already listens on {path}")
            if not dead and serving_lock.NEEDED and may_replace:
                raise ObservatoryError(
                    f"cannot tell whether a server lives behind {path} (it refuses, as one does which has too many"
                    " waiting): remove it if none does"
                )
            inode = (found.st_dev, found.st_ino)
    except FileNotFoundError:
        return  # it has gone by itself
    if not may_replace:
        raise ObservatoryError(
            f"{path} is a dead server's, and there is no place for a lock, under which it could be replaced: remove it"
        )
    _unlink(path, inode)


def _is_live(handle: str, path: str, mode: int) -> bool:
    """Whether anyone listens on a socket of ours. Raises ObservatoryError if that can't be told."""
    try:
        return _answers(handle, path)
    except PermissionError:
        pass
    # The mode keeps its own owner out, as 0066 does. To let in the owner, who could anyway, lets in no one else.
    os.chmod(handle, mode | 0o200)
    try:
        return _answers(handle, path)
    finally:
        os.chmod(handle, mode)


def _answers(handle: str, path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(handle)
        except ConnectionRefusedError:
            return False
        except PermissionError:
            raise
        except OSError as error:
            if error.errno == errno.EAGAIN:  # so many wait there that there's no room for one more
                return True
            raise ObservatoryError(
                f"cannot tell whether a server lives behind {path} ({error.strerror}): remove it if none does"
            ) from None
        return True


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISREG(mode):
        return "a regular file"
    return "a directory" if stat.S_ISDIR(mode) else "something that is not a socket"


def _explained(error: OSError, path: str) -> ObservatoryError:
    directory = Path(path).parent
    if isinstance(error, FileNotFoundError):
        return ObservatoryError(f"cannot make {path}: the directory {directory} does not exist")
    if isinstance(error, NotADirectoryError):
        return ObservatoryError(f"cannot make {path}: {directory} is not a directory")
    if isinstance(error, PermissionError):
        return ObservatoryError(
            f"cannot make {path}: uid {os.geteuid()} may not write in the directory {directory}",
            ExitStatus.NOT_PERMITTED,
        )
    return ObservatoryError(f"cannot make {path}: {error.strerror or error}")


def _check_path(path: str) -> None:
    """Raises ObservatoryError for a name that no socket can have."""
    if not path or "\0" in path:
        raise ObservatoryError("the socket's path is empty or has a null byte in it", ExitStatus.USAGE)
    length = len(os.fsencode(path))
    if length > LONGEST_PATH:
        raise ObservatoryError(
            f"the socket's path has {length} bytes, and a Unix socket's has {LONGEST_PATH} at most: {path}",
            ExitStatus.USAGE,
        )


@contextlib.contextmanager
def _handle(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """A name for the file that is now at `path` which can't be made to mean another one, and what that file is.

    Only Linux has such names (open(2), O_PATH); elsewhere, and where /proc is not mounted, it's the path itself.
    """
    if sys.platform != "linux":
        yield path, os.lstat(path)
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        handle = f"/proc/self/fd/{descriptor}"
        yield handle if Path(handle).exists() else path, os.fstat(descriptor)
    finally:
        os.close(descriptor)
