"""More of the processor than others get, for a server of several users.

One queue in the kernel is for all who connect. It must be emptied faster than any number of processes fill it, and each
of these has as much of the processor as a server without precedence.

Where the kernel groups the processes of a session (sched(7), "The autogroup feature"), niceness counts within the
session only, and the sessions share the processor equally: who floods from sessions of their own would have as many
parts of it. So a server that leads a session raises that, too.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

PRECEDENCE: Final = -10
"""The niceness of a server for several users (sched(7)): it has nine times the weight of others."""
_AUTOGROUP: Final = Path("/proc/self/autogroup")


def take_precedence() -> None:
    """Take it where that is allowed (root, CAP_SYS_NICE, RLIMIT_NICE) and nobody has said otherwise."""
    with contextlib.suppress(PermissionError):
        if os.getpriority(os.PRIO_PROCESS, 0) == 0:
            os.setpriority(os.PRIO_PROCESS, 0, PRECEDENCE)
    if os.getpriority(os.PRIO_PROCESS, 0) == PRECEDENCE and os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _AUTOGROUP.write_text(str(PRECEDENCE), encoding="ascii")
