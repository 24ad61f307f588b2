"""What the agent says of its kernel and its Python."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from harness.inside.agent import flags, fuse, profiles
from harness.inside.agent.outside import Outside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.messages import AgentFacts

SYSCTLS = (
    "fs.protected_symlinks",
    "fs.protected_hardlinks",
    "fs.protected_regular",
    "fs.protected_fifos",
    "kernel.overflowuid",
    "kernel.overflowgid",
    "net.core.somaxconn",
)
SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


INITIAL = 0xEFFFFFFD
"""The number of the initial user namespace (PROC_USER_INIT_INO in linux/proc_ns.h)."""


def _has_own_users() -> bool:
    """Whether the place is in another user namespace than the machine itself (user_namespaces(7))."""
    try:
        with Outside.reached("/proc/self/ns/user") as path:
            return os.stat(path).st_ino != INITIAL
    except OSError:
        return False


def facts(staying: Sequence[str]) -> AgentFacts:
    """Read them, all but which directories stay."""
    system = os.uname()
    sysctls = {}
    for name in SYSCTLS:
        with contextlib.suppress(OSError):  # this kernel has no such setting
            sysctls[name] = int(Outside.read("/proc/sys/" + name.replace(".", "/")))
    with contextlib.suppress(OSError):  # AppArmor is not asked, or knows only of whole families of sockets
        sysctls["apparmor.af_unix"] = int(Outside.read(profiles.FINE).strip() == "yes")
    tools = [f"/opt/{name}/bin" for name in sorted(os.listdir("/opt"))] if os.path.isdir("/opt") else []
    own = os.path.dirname(sys.executable)
    return {
        "system": system.sysname,
        "kernel": system.release,
        "machine": system.machine,
        "python": sys.version.split()[0],
        "sysctls": sysctls,
        "fuse": fuse.available(),
        "flags": flags.available(),
        "own_users": _has_own_users(),
        "staying": list(staying),
        "environment": {
            "PATH": ":".join(dict.fromkeys([*filter(os.path.isdir, tools), own, *SYSTEM_PATH])),
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        },
    }
