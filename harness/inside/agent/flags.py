"""Flags of inodes, as chattr(1) sets them: immutable and append-only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from typing import TYPE_CHECKING

from harness.inside.agent.errors import RefusalError
from harness.inside.agent.flag_setter import FlagSetter
from harness.inside.libc import AT_FDCWD, LIBC, MS_BIND, called, mount, unmount

if TYPE_CHECKING:
    from collections.abc import Iterator

GET_FLAGS = 0x80006601 | ctypes.sizeof(ctypes.c_long) << 16
"""FS_IOC_GETFLAGS of linux/fs.h, which says that it moves a long; what it moves is an int."""
FLAGS = {"immutable": 0x10, "append-only": 0x20}
"""FS_IMMUTABLE_FL and FS_APPEND_FL of linux/fs.h."""
ATTRIBUTES_AT, STATX_SIZE = 8, 256
"""Of struct statx in linux/stat.h. STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND are numbered as those."""
AT_SYMLINK_NOFOLLOW = 0x100
"""fcntl.h."""
ASIDE = "/.flags"
"""A directory for a moment's mount."""


class InodeFlags:
    """The flags of a world: set when all nodes are made, and taken away before the world is."""

    def __init__(self) -> None:
        self._wanted: list[tuple[int, str, list[str]]] = []

    def expect(self, path: str, flags: list[str]) -> None:
        """What is here is to have these flags: it is held by a descriptor, wherever it is by then.

        It is opened through a mount that is nowhere, so that it can be changed when the one here is read-only.
        """
        if not flags:
            return
        directory, name = (path, ".") if os.path.isdir(path) else os.path.split(path)
        with _aside(), _mounted_aside(directory, None, MS_BIND):
            descriptor = os.open(os.path.join(ASIDE, name), os.O_RDONLY | os.O_CLOEXEC)
        self._wanted.append((descriptor, path, flags))

    def set_all(self) -> None:
        """Set them. Raises RefusalError where the file system has none, or root may not."""
        for descriptor, path, flags in self._wanted:
            try:
                change(descriptor, add=flags)
            except OSError as error:
                raise RefusalError(f"{path} cannot be {' and '.join(flags)} here: {error.strerror}") from None

    def clear_all(self) -> None:
        """Take them away again."""
        while self._wanted:
            descriptor, _, flags = self._wanted.pop()
            try:
                if held(descriptor) & sum(FLAGS[flag] for flag in flags):
                    change(descriptor, take=flags)
            finally:
                os.close(descriptor)


def change(descriptor: int, add: list[str] | None = None, take: list[str] | None = None) -> None:
    """Add flags to those of what is open, and take others away. Raises OSError."""
    flags = held(descriptor)
    for flag in add or ():
        flags |= FLAGS[flag]
    for flag in take or ():
        flags &= ~FLAGS[flag]
    FlagSetter.set(descriptor, flags)


def held(descriptor: int) -> int:
    """The flags of what is open, as linux/fs.h numbers them. Raises OSError where the file system has none."""
    flags = ctypes.c_int()
    called(LIBC.ioctl(descriptor, ctypes.c_ulong(GET_FLAGS), ctypes.byref(flags)))
    return flags.value


def told(path: str) -> list[str]:
    """The flags of what has a path, a symlink at its end not followed: of whatever may be looked up."""
    held = ctypes.create_string_buffer(STATX_SIZE)
    if not hasattr(LIBC, "statx") or LIBC.statx(AT_FDCWD, os.fsencode(path), AT_SYMLINK_NOFOLLOW, 0, held) != 0:
        return []
    attributes = struct.unpack_from("=Q", held, ATTRIBUTES_AT)[0]
    return [flag for flag, bit in FLAGS.items() if attributes & bit]


def available() -> bool:
    """Whether nodes of a world can have flags here, on the place's own file systems and on a tmpfs of the world."""
    if sys.platform != "linux":
        return False
    try:
        with _aside():
            _try(ASIDE)
            with _mounted_aside("tmpfs", "tmpfs", 0):
                _try(ASIDE)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _aside() -> Iterator[None]:
    os.mkdir(ASIDE)
    try:
        yield
    finally:
        os.rmdir(ASIDE)


@contextlib.contextmanager
def _mounted_aside(source: str, kind: str | None, how: int) -> Iterator[None]:
    mount(source, ASIDE, kind, how)
    try:
        yield
    finally:
        unmount(ASIDE)


def _try(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        change(descriptor, add=["immutable"])
        change(descriptor, take=["immutable"])
    finally:
        os.close(descriptor)
