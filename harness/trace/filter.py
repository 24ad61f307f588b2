"""A seccomp filter that stops a traced process where it begins one of the calls that are followed, and nowhere else.

A call that sends without an address and a socket of another family are none of ours, and the filter can tell by their
arguments (seccomp(2); Documentation/userspace-api/seccomp_filter.rst).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from harness.inside.libc import LIBC, prctl
from harness.trace.calls import CALLS

if TYPE_CHECKING:
    from harness.trace.calls import Machine

NO_NEW_PRIVS, SET_SECCOMP, MODE_FILTER = 38, 22, 2
"""linux/prctl.h, linux/seccomp.h."""
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
FOLLOWED, TAKES_A_FILTER = 0x6F62, 0x6F63
"""The data of a stop at a call that is followed, and of one at which a process is about to take a filter. A stop with
other data is that of a filter of the process's own."""
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K (linux/bpf_common.h)."""
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
"""Offsets in struct seccomp_data; its 64-bit arguments have their low half first on the machines that are known."""
_ADDRESS_OF_SENDTO: Final = ARGUMENTS_AT + 8 * 4


def program(machine: Machine) -> bytes:
    """The filter's instructions, each a struct sock_filter: code, jump if true, jump if false, constant.

    A process that takes a filter of its own is stopped with `TAKES_A_FILTER`: what that one refuses, this one no longer
    sees, since an errno is stricter than a stop.
    """
    numbers = machine.numbers
    special = {"socket", "sendto"}
    plain = [number for name, number in numbers.items() if name in CALLS.keys() - special]
    steps = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_IF_EQUAL, 1, 0, machine.architecture),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, NUMBER_AT),
        *((JUMP_IF_EQUAL, 0, 4, numbers["socket"]), (LOAD, 0, 0, ARGUMENTS_AT)),
        *((JUMP_IF_EQUAL, 0, 1, int(socket.AF_UNIX)), (RETURN, 0, 0, TRACE | FOLLOWED), (RETURN, 0, 0, ALLOW)),
        *((JUMP_IF_EQUAL, 0, 6, numbers["sendto"]), (LOAD, 0, 0, _ADDRESS_OF_SENDTO), (JUMP_IF_EQUAL, 0, 2, 0)),
        *(
            (LOAD, 0, 0, _ADDRESS_OF_SENDTO + 4),
            (JUMP_IF_EQUAL, 1, 0, 0),
            (RETURN, 0, 0, TRACE | FOLLOWED),
            (RETURN, 0, 0, ALLOW),
        ),
        *((JUMP_IF_EQUAL, 0, 4, numbers["prctl"]), (LOAD, 0, 0, ARGUMENTS_AT), (JUMP_IF_EQUAL, 0, 1, SET_SECCOMP)),
        *((RETURN, 0, 0, TRACE | TAKES_A_FILTER), (RETURN, 0, 0, ALLOW)),
        *((JUMP_IF_EQUAL, 0, 1, numbers["seccomp"]), (RETURN, 0, 0, TRACE | TAKES_A_FILTER)),
        *((JUMP_IF_EQUAL, len(plain) - at, 0, number) for at, number in enumerate(plain)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, TRACE | FOLLOWED),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def install(machine: Machine) -> None:
    """Put the filter on this process and all that it starts. Raises OSError.

    Who has not CAP_SYS_ADMIN has to give up what set-uid programs would give (PR_SET_NO_NEW_PRIVS).
    """
    code = program(machine)
    held = ctypes.create_string_buffer(code, len(code))
    loaded = struct.pack("HP", len(code) // 8, ctypes.addressof(held))
    if LIBC.prctl(SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), loaded, ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0:
        return
    prctl(NO_NEW_PRIVS, 1)
    if LIBC.prctl(SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), loaded, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
