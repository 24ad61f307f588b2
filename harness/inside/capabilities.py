"""Capabilities: their numbers, and having some of them and no others (capabilities(7))."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING

from harness.inside.libc import LIBC, prctl
from harness.inside.principal import become

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.messages import EncodedPrincipal

NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
"""
CAPABILITIES = {f"CAP_{name}": number for number, name in enumerate(NAMES.split())}
"""In the order of their numbers: linux/capability.h."""
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
PR_SET_KEEPCAPS, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 8, 28, 47  # linux/prctl.h
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NOROOT, SECBIT_NOROOT_LOCKED = 1, 2  # linux/securebits.h: an exec by uid 0 gives no capabilities


def become_with(who: EncodedPrincipal, names: Sequence[str]) -> None:
    """Give up root for what the principal is, with these capabilities alone, which an exec keeps. Raises OSError.

    Linux alone has capabilities.
    """
    prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)
    prctl(PR_SET_KEEPCAPS, 1)
    become(who)
    _restrict(names)


def _restrict(names: Sequence[str]) -> None:
    """Make the permitted, effective, inheritable and ambient sets of this process exactly these."""
    numbers = [CAPABILITIES[name] for name in names]
    low = sum(1 << number for number in numbers if number < 32)
    high = sum(1 << (number - 32) for number in numbers if number >= 32)
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    if LIBC.capset(header, struct.pack("6I", low, low, low, high, high, high)) != 0:
        raise OSError(errno.EPERM, "this place lacks one of " + ", ".join(names))
    for number in numbers:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number)
