"""ptrace(2): its requests, and what it tells of a system call at which a process stands still."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Final, NamedTuple

from harness.inside.libc import called

CONT, SYSCALL, DETACH = 7, 24, 17
SEIZE, INTERRUPT, LISTEN, GET_SYSCALL_INFO = 0x4206, 0x4207, 0x4208, 0x420E
GETREGSET, SETREGSET = 0x4204, 0x4205
SYSGOOD, FORK, VFORK, CLONE, EXEC, SECCOMP, EXITKILL = 0x1, 0x2, 0x4, 0x8, 0x10, 0x80, 0x100000
"""PTRACE_O_..."""
EVENT_EXEC, EVENT_SECCOMP, EVENT_STOP = 4, 7, 128
WALL: Final = 0x40000000
"""Wait for threads as well (waitpid(2))."""
AT_EXIT: Final = 2
"""PTRACE_SYSCALL_INFO_EXIT; all from linux/ptrace.h."""

NT_PRSTATUS, NT_ARM_SYSTEM_CALL = 1, 0x404
"""linux/elf.h."""
_REGISTERS: Final = {"x86_64": (27 * 8, 10, 15), "aarch64": (34 * 8, 0, None)}
"""Of each machine: the bytes of its general registers, and where among them the result is and the call's number, which
aarch64 has in a set of its own (asm/ptrace.h, struct user_regs_struct and struct user_pt_regs)."""


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


_SIZE: Final = 96
_ENTRY: Final = struct.Struct("=B3xI8x8xQ6Q")
_BUFFER: Final = ctypes.create_string_buffer(_SIZE)
_OPERATION: Final = ctypes.c_uint8.from_buffer(_BUFFER, 0)
_FAILED: Final = ctypes.c_uint8.from_buffer(_BUFFER, 32)
_DATA_OF_FILTER: Final = ctypes.c_uint32.from_buffer(_BUFFER, 80)
_RESULT: Final = ctypes.c_int64.from_buffer(_BUFFER, 24)
_request = ctypes.CDLL(None, use_errno=True).ptrace
_request.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_request.restype = ctypes.c_long


class Entry(NamedTuple):
    """A call that is about to begin: AUDIT_ARCH, number and arguments."""

    architecture: int
    number: int
    arguments: tuple[int, ...]


def call(which: int, thread: int, address: int, data: ctypes.Array[ctypes.c_char] | None) -> int:
    """ptrace(2) as the C library has it: -1, and ctypes' errno, where it fails."""
    return int(_request(which, thread, address, data))


def request(which: int, thread: int, data: int = 0) -> None:
    """Ask for something. Raises OSError; ProcessLookupError if the thread has been killed meanwhile."""
    if _request(which, thread, None, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def refuse(thread: int, machine: str) -> None:
    """Have the call at which a filter has stopped a thread fail with ENOSYS, as without anybody who follows.

    (seccomp(2), SECCOMP_RET_TRACE.) Raises OSError.
    """
    general, result, number = _REGISTERS[machine]
    held = ctypes.create_string_buffer(general)
    _registers(GETREGSET, thread, NT_PRSTATUS, held)
    struct.pack_into("=q", held, 8 * result, -errno.ENOSYS)
    if number is None:
        _registers(SETREGSET, thread, NT_ARM_SYSTEM_CALL, ctypes.create_string_buffer(struct.pack("=i", -1), 4))
    else:
        struct.pack_into("=q", held, 8 * number, -1)
    _registers(SETREGSET, thread, NT_PRSTATUS, held)


def _registers(which: int, thread: int, kind: int, held: ctypes.Array[ctypes.c_char]) -> None:
    vector = _Vector(ctypes.addressof(held), len(held))
    called(_request(which, thread, kind, ctypes.addressof(vector)))


def data_of_filter() -> int:
    """The data with which a filter has stopped the thread of which `entry` was asked last."""
    return _DATA_OF_FILTER.value


def entry(thread: int) -> bytes | None:
    """The call at whose beginning a thread stands still, for `entry_of`; None at its end. Raises OSError."""
    _look(thread)
    return None if _OPERATION.value == AT_EXIT else _BUFFER.raw


def error(thread: int) -> int:
    """The errno of the call at whose end a thread stands still; 0 if it succeeded. Raises OSError."""
    _look(thread)
    return -_RESULT.value if _FAILED.value and _OPERATION.value == AT_EXIT else 0


def entry_of(info: bytes) -> Entry:
    """A call as the kernel tells it (struct ptrace_syscall_info)."""
    _, architecture, number, *arguments = _ENTRY.unpack_from(info)
    return Entry(architecture, number, tuple(arguments))


def _look(thread: int) -> None:
    if _request(GET_SYSCALL_INFO, thread, _SIZE, _BUFFER) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
