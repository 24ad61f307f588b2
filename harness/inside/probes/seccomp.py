"""A seccomp filter that stops a traced process at the few system calls by which a socket's name, mode and owner change.

Without it every system call would be a stop, of which a large program makes hundreds of thousands.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

NO_NEW_PRIVS, SET_SECCOMP, MODE_FILTER = 38, 22, 2
"""linux/prctl.h, linux/seccomp.h."""
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K (linux/bpf_common.h)."""
NUMBER_AT, ARCHITECTURE_AT = 0, 4
"""Offsets in struct seccomp_data."""

MACHINES = {
    # bind listen chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat rename renameat renameat2 link linkat
    # symlink symlinkat unlink unlinkat umask setxattr lsetxattr
    "x86_64": (
        0xC000003E,
        (49, 50, 90, 91, 268, 452, 92, 93, 94, 260, 82, 264, 316, 86, 265, 88, 266, 87, 263, 95, 188, 189),
    ),
    # bind listen fchmod fchmodat fchmodat2 fchownat fchown renameat renameat2 linkat symlinkat unlinkat umask setxattr
    # lsetxattr
    "aarch64": (0xC00000B7, (200, 201, 52, 53, 452, 54, 55, 38, 276, 37, 36, 35, 166, 5, 6)),
}
"""By machine: its AUDIT_ARCH (linux/audit.h), and the numbers of the calls (asm/unistd.h)."""


def known() -> bool:
    """Whether the numbers are known for this machine."""
    return platform.machine() in MACHINES


def program() -> bytes:
    """The filter's instructions, each a struct sock_filter: code, jump if true, jump if false, constant."""
    architecture, numbers = MACHINES[platform.machine()]
    count = len(numbers)
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 0, count + 1, architecture),
        (LOAD, 0, 0, NUMBER_AT),
        *((JUMP_IF_EQUAL, count - at, 0, number) for at, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, TRACE),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def install() -> None:
    """Put the filter on this process and all that it starts. Raises OSError."""
    code = program()
    held = ctypes.create_string_buffer(code, len(code))
    filter_program = struct.pack("HP", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((NO_NEW_PRIVS, 1, None), (SET_SECCOMP, MODE_FILTER, filter_program)):
        option, first, second = arguments
        if libc.prctl(option, ctypes.c_ulong(first), second, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
