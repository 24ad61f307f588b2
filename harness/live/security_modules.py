"""Which security modules this kernel asks beside the permission bits."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from typing import Final

from harness.inside.libc import LIBC

LIST_MODULES: Final = 461
"""lsm_list_modules(2), since Linux 6.8 and the same on all machines (include/uapi/asm-generic/unistd.h)."""
_NAMES: Final = {
    101: "selinux",
    102: "smack",
    103: "tomoyo",
    104: "apparmor",
    109: "bpf",
    110: "landlock",
}
"""LSM_ID_SELINUX and others, linux/lsm.h: those that may decide over a path or a socket."""
_ROOM: Final = 64
_LIST: Final = "/sys/kernel/security/lsm"
_SWITCHES: Final = (
    ("selinux", "/sys/fs/selinux/enforce", ("0", "1")),
    ("apparmor", "/sys/module/apparmor/parameters/enabled", ("Y",)),
    ("tomoyo", "/sys/kernel/security/tomoyo/version", ()),
)
"""What tells of a module on kernels before 6.8, where securityfs is not mounted or not to be read."""


def active_modules() -> frozenset[str] | None:
    """The names of the modules that this kernel asks, of those that may decide; None where it does not tell.

    Where it only tells of some (before Linux 6.8, in a container), those.
    """
    by_call = _called()
    if by_call is not None:
        return by_call
    try:
        return frozenset(Path(_LIST).read_text("ascii").strip().split(","))
    except OSError:
        found = frozenset(name for name, path, values in _SWITCHES if _says(path, values))
        return found if Path("/sys/module").is_dir() else None


def _called() -> frozenset[str] | None:
    numbers = (ctypes.c_uint64 * _ROOM)()
    size = ctypes.c_uint32(ctypes.sizeof(numbers))
    count = LIBC.syscall(LIST_MODULES, numbers, ctypes.byref(size), 0)
    if count == -1:
        assert ctypes.get_errno() != errno.E2BIG
        return None
    return frozenset(_NAMES[number] for number in numbers[:count] if number in _NAMES)


def _says(path: str, values: tuple[str, ...]) -> bool:
    try:
        return not values or Path(path).read_text("ascii").strip() in values
    except OSError:
        return False
