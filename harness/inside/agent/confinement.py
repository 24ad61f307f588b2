"""What a principal is held to beside ids and capabilities: a filter, a domain of Landlock, a profile, a policy.

Each is entered once, by the process that makes the attempts, and holds for good (seccomp(2), landlock(7),
apparmor(7), selinux(8)).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.agent import policies, profiles
from harness.inside.agent.errors import RefusalError
from harness.inside.libc import LIBC, prctl

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.messages import EncodedConfinement

NO_NEW_PRIVS, SET_SECCOMP, MODE_FILTER = 38, 22, 2
"""linux/prctl.h, linux/seccomp.h."""
ALLOW, ERRNO = 0x7FFF0000, 0x50000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
"""BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K (linux/bpf_common.h)."""
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16
"""Offsets in struct seccomp_data."""
MACHINES: dict[str, tuple[int, dict[str, tuple[int, ...]]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": (41,),
            "connect": (42,),
            "bind": (49,),
            "unlink": (87, 263),
            "rename": (82, 264, 316),
            "chmod": (90, 268, 452),
            "chown": (92, 94, 260),
            "mkdir": (83, 258),
            "truncate": (76,),
            "execute": (59, 322),
            "open": (2, 85, 257, 437),
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": (198,),
            "connect": (203,),
            "bind": (200,),
            "unlink": (35,),
            "rename": (38, 276),
            "chmod": (53, 452),
            "chown": (54,),
            "mkdir": (34,),
            "truncate": (45,),
            "execute": (221, 281),
            "open": (56, 437),
        },
    ),
}
"""By machine: its AUDIT_ARCH (linux/audit.h), and of each call the numbers of its forms (asm/unistd.h)."""
CREATE_RULESET, RESTRICT_SELF = 444, 446
"""landlock_create_ruleset and landlock_restrict_self, the same on all machines."""
CREATE_RULESET_VERSION = 1
MAKE_SOCK, RESOLVE_UNIX, SCOPE_ABSTRACT = 1 << 9, 1 << 16, 1 << 0
"""LANDLOCK_ACCESS_FS_MAKE_SOCK, .._RESOLVE_UNIX and LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (linux/landlock.h)."""
ABIS = {"bind": 1, "abstract": 6, "resolve": 9}
"""Since which ABI a domain can take something away."""

entered: list[EncodedConfinement] = []
"""What this process is held by: most are by nothing."""


def prepare(confined: EncodedConfinement) -> None:
    """What takes root, before the process gives that up. Raises RefusalError."""
    rules = confined.get("apparmor")
    if rules is not None:
        profiles.load(rules)


def enter(confined: EncodedConfinement) -> None:
    """Hold this process, and all that it starts. Raises RefusalError where this kernel can't."""
    try:
        rules = confined.get("apparmor")
        if rules is not None:
            profiles.enter(rules)
        rules = confined.get("selinux")
        if rules is not None:
            policies.enter(rules)
        prctl(NO_NEW_PRIVS, 1)
        if confined["landlock"]:
            _enter_domain(confined["landlock"])
        if confined["seccomp"]:
            _enter_filter(confined["seccomp"])
    except OSError as error:
        raise RefusalError(f"no process can be confined so in this place: {error.strerror}") from None
    entered.append(confined)


def refuses(operation: str, outcome: str) -> bool:
    """Whether it is the call itself that is refused: it is made with what no kernel takes, and answered the same."""
    nonsense: dict[str, tuple[Callable[[], int], ...]] = {
        "connect": (_socket, lambda: _at_no_address(LIBC.connect)),
        "bind": (_socket, lambda: _at_no_address(LIBC.bind)),
        "unlink": (lambda: int(LIBC.unlink(None)),),
        "rename": (lambda: int(LIBC.rename(None, None)),),
        "chmod": (lambda: int(LIBC.chmod(None, 0)),),
        "chown": (lambda: int(LIBC.chown(None, -1, -1)),),
        "mkdir": (lambda: int(LIBC.mkdir(None, 0)),),
        "truncate": (lambda: int(LIBC.truncate(None, 0)),),
        "execute": (lambda: int(LIBC.execve(None, None, None)),),
        **dict.fromkeys(("read", "list", "write", "create"), (lambda: int(LIBC.open(None, 0)),)),
    }
    if outcome == "EACCES" and operation in ("connect", "bind") and has_profile() and not _makes_sockets():
        return True
    if not any(confined["seccomp"] for confined in entered):
        return False
    for call in nonsense.get(operation, ()):
        if call() == -1:
            answer = errnos.name(OSError(ctypes.get_errno(), ""))
            if answer == outcome and answer not in ("EFAULT", "EINVAL", "ESOCKTNOSUPPORT"):
                return True
    return False


def opens_nothing() -> bool:
    """Whether a filter lets this process open no files, and so find nothing out by opening them."""
    return any("open" in confined["seccomp"] for confined in entered)


def takes_sockets() -> bool:
    """Whether this process is in a domain in which it can make no sockets."""
    return any("bind" in confined["landlock"] for confined in entered)


def has_profile() -> bool:
    """Whether an AppArmor profile holds this process, of which no trial tells what it refuses."""
    return any(confined.get("apparmor") is not None for confined in entered)


def has_policy() -> bool:
    """Whether SELinux holds this process: it may refuse a trial of the way, and not what was tried."""
    return any(confined.get("selinux") is not None for confined in entered)


def _makes_sockets() -> bool:
    try:
        socket.socket(socket.AF_UNIX).close()
    except OSError:
        return False
    return True


def _socket() -> int:
    """A socket of no type, which is ESOCKTNOSUPPORT where the family is not refused."""
    return int(LIBC.socket(int(socket.AF_UNIX), 15, 0))


def _at_no_address(call: Callable[[int, None, int], int]) -> int:
    """A call with an address of no size, which is EINVAL where the call is not refused."""
    try:
        with socket.socket(socket.AF_UNIX) as one:
            return int(call(one.fileno(), None, 0))
    except OSError as error:
        ctypes.set_errno(error.errno or errno.EIO)
        return -1


def _enter_domain(rights: list[str]) -> None:
    abi = LIBC.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), CREATE_RULESET_VERSION)
    needed = max(ABIS[right] for right in rights)
    if abi < needed:
        raise OSError(errno.ENOSYS, f"that takes Landlock's ABI {needed}, and this kernel has {max(abi, 0) or 'none'}")
    # struct landlock_ruleset_attr: what is handled of files, of the network (ABI 4), and what is scoped (ABI 6).
    files = (MAKE_SOCK if "bind" in rights else 0) | (RESOLVE_UNIX if "resolve" in rights else 0)
    held = struct.pack("=3Q", files, 0, SCOPE_ABSTRACT if "abstract" in rights else 0)
    ruleset = LIBC.syscall(CREATE_RULESET, held, ctypes.c_size_t(24 if abi >= 6 else 8), 0)
    if ruleset == -1 or LIBC.syscall(RESTRICT_SELF, ruleset, 0) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.close(ruleset)


def _enter_filter(calls: dict[str, str]) -> None:
    machine = os.uname().machine
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"the numbers of the system calls of {machine} are not known")
    code = program(calls, *MACHINES[machine])
    held = ctypes.create_string_buffer(code, len(code))
    loaded = struct.pack("HP", len(code) // 8, ctypes.addressof(held))
    if LIBC.prctl(SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), loaded, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def program(calls: dict[str, str], architecture: int, numbers: dict[str, tuple[int, ...]]) -> bytes:
    """A filter that refuses these calls, of sockets Unix ones alone, and allows the rest."""
    steps = [(LOAD, 0, 0, ARCHITECTURE_AT), (JUMP_IF_EQUAL, 1, 0, architecture), (RETURN, 0, 0, ALLOW)]
    for call, outcome in calls.items():
        refusal = (RETURN, 0, 0, ERRNO | getattr(errno, outcome))
        for number in numbers[call]:
            steps.append((LOAD, 0, 0, NUMBER_AT))
            if call == "socket":
                steps += [(JUMP_IF_EQUAL, 0, 3, number), (LOAD, 0, 0, FIRST_ARGUMENT_AT)]
                steps.append((JUMP_IF_EQUAL, 0, 1, int(socket.AF_UNIX)))
            else:
                steps.append((JUMP_IF_EQUAL, 0, 1, number))
            steps.append(refusal)
    steps.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)
