"""The extended attributes of a settings file, an access control list among them, for the file that replaces it."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

COPYFILE_ACL: Final = 1 << 0
COPYFILE_XATTR: Final = 1 << 2
"""copyfile.h."""


def copy_attributes(path: Path, descriptor: int) -> None:
    """Give an open file what the one at `path` has, where the platform has any of it. Raises OSError.

    Linux has ACLs among the attributes; macOS has a function for both. On the BSDs neither is kept.
    """
    with suppress(FileNotFoundError):
        if sys.platform == "linux":
            _copy_each(path, descriptor)
        elif sys.platform == "darwin":
            _copy_by_copyfile(path, descriptor)


def _copy_each(path: Path, descriptor: int) -> None:
    if sys.platform != "linux":
        return
    for name in os.listxattr(path, follow_symlinks=False):
        try:
            os.setxattr(descriptor, name, os.getxattr(path, name, follow_symlinks=False))
        except OSError as error:
            # Labels of a security module are the system's to give; the new file has its own.
            if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENODATA}:
                raise


def _copy_by_copyfile(path: Path, descriptor: int) -> None:
    """fcopyfile(3)."""
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.fcopyfile(source, descriptor, None, ctypes.c_uint32(COPYFILE_ACL | COPYFILE_XATTR)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(source)
