"""What the arguments of a system call point to, read from the memory of the process that makes it."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Final

PATH_MAX: Final = 4096
_PAGE: Final = 4096
_HIGHEST: Final = (1 << 63) - 1
"""No process has anything beyond that, and pread(2) takes no such place."""
_MESSAGE: Final = struct.Struct("=QI")
"""The beginning of struct msghdr: the address and its length."""


def spelled(path: str) -> str:
    """A path as it is written here, where `@` begins an abstract name: a relative one that begins so gets `./`."""
    return f"./{path}" if path.startswith("@") else path


class Memory:
    """A process's memory; a context manager. Raises OSError, as does each reading of what is not there."""

    def __init__(self, thread: int) -> None:
        self._descriptor = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)

    def read(self, at: int, size: int) -> bytes:
        """So many bytes, or those up to where the memory ends."""
        if at > _HIGHEST:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return os.pread(self._descriptor, size, at)

    def string(self, at: int) -> str:
        """A path, up to its NUL."""
        text = b""
        while b"\0" not in text and len(text) < PATH_MAX:
            piece = self.read(at + len(text), _PAGE - (at + len(text)) % _PAGE)
            if not piece:
                break
            text += piece
        return spelled(os.fsdecode(text.partition(b"\0")[0]))

    def address(self, at: int, size: int) -> str | None:
        """The name in a sockaddr_un (unix(7)): a path, `@` and an abstract name, or nothing; None of other families."""
        if size < 2 or at == 0:
            return None
        raw = self.read(at, min(size, 128))
        if len(raw) < 2 or struct.unpack_from("=H", raw)[0] != socket.AF_UNIX:
            return None
        name = raw[2:]
        if name.startswith(b"\0"):
            return "@" + os.fsdecode(name[1:])
        return spelled(os.fsdecode(name.partition(b"\0")[0]))

    def message(self, at: int) -> tuple[int, int]:
        """The address to which a struct msghdr is sent and its length; zeros where it can't be read."""
        raw = self.read(at, _MESSAGE.size)
        return _MESSAGE.unpack(raw) if len(raw) == _MESSAGE.size else (0, 0)
