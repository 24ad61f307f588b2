"""Setting flags of inodes from outside of a place's user namespace, in which nobody may.

It takes CAP_LINUX_IMMUTABLE in the machine's own (`fileattr_set_prepare` in the kernel's fs/file_attr.c). So a process
stays there and sets them on what it is sent as a descriptor. Through that the kernel changes nothing on a mount that is
read-only, and all that was brought in is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import stat
import struct

from harness.inside.libc import LIBC, called

TYPE_CHECKING = False
"""As in `typing`, which each start of a place would wait for."""

if TYPE_CHECKING:
    from typing import ClassVar, Optional

SET_FLAGS = 0x40006602 | ctypes.sizeof(ctypes.c_long) << 16
"""FS_IOC_SETFLAGS of linux/fs.h, which says that it moves a long; what it moves is an int."""
_NUMBER = struct.Struct("=i")


class FlagSetter:
    """Who sets flags for this process: that one, where it was joined, else the process itself."""

    connection: ClassVar[Optional[socket.socket]] = None

    @classmethod
    def join(cls, descriptor: int) -> None:
        """Have flags set by who is at the other end."""
        cls.connection = socket.socket(fileno=descriptor)
        cls.connection.set_inheritable(False)

    @classmethod
    def set(cls, descriptor: int, flags: int) -> None:
        """Give what is open these flags and no others. Raises OSError."""
        if cls.connection is None:
            set_flags(descriptor, flags)
            return
        socket.send_fds(cls.connection, [_NUMBER.pack(flags)], [descriptor])
        (error,) = _NUMBER.unpack(cls.connection.recv(_NUMBER.size))
        if error:
            raise OSError(error, os.strerror(error))


def serve(descriptor: int) -> None:
    """Set what is asked for on a connection, on directories and files, until nobody can ask any more."""
    connection = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, _NUMBER.size, 1)
        if not descriptors:
            return
        error = 0
        try:
            kind = os.fstat(descriptors[0]).st_mode
            if not stat.S_ISDIR(kind) and not stat.S_ISREG(kind):
                raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))  # a device would take the call for its own
            set_flags(descriptors[0], *_NUMBER.unpack(message))
        except OSError as refused:
            error = refused.errno or errno.EIO
        finally:
            os.close(descriptors[0])
        connection.sendall(_NUMBER.pack(error))


def set_flags(descriptor: int, flags: int) -> None:
    """FS_IOC_SETFLAGS. Raises OSError."""
    called(LIBC.ioctl(descriptor, ctypes.c_ulong(SET_FLAGS), ctypes.byref(ctypes.c_int(flags))))
