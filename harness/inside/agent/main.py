"""The agent's beginning, in each kind of place."""

from __future__ import annotations

import contextlib
import os
import resource
import sys

from harness.inside import libc
from harness.inside.agent import mounts
from harness.inside.agent.flag_setter import FlagSetter
from harness.inside.agent.inheritance import DESCRIPTORS
from harness.inside.agent.loop import Agent
from harness.inside.agent.outside import Outside
from harness.inside.agent.scratch import OF_THE_IMAGE, SCRATCH, make_anew, remove, stays
from harness.inside.loopback import raise_loopback


def main(brought: list[str] | None = None, base: str | None = None, setter: int | None = None) -> None:
    """Serve until the input ends.

    `brought`: in a container, whose first process is the guard, with the machine's own at these paths.
    `base`: on a machine without namespaces, in this directory, which goes away in the end.
    `setter`: in new namespaces, with the connection of this number to who sets flags of inodes outside of them.
    """
    os.umask(0)
    os.chdir("/")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if setter is not None:
        FlagSetter.join(setter)
        raise_loopback()
    if brought is not None:
        for path in brought:  # of what is mounted below them the engine has left writable what was
            mounts.restrict(path, libc.MS_RDONLY, recursive=True)
        mounts.protect_proc()
        for path in SCRATCH:
            if os.path.isdir(path) and not os.path.islink(path):
                make_anew(path)
        Agent(tuple(path for path in (*OF_THE_IMAGE, *SCRATCH) if stays(path))).serve()
    elif base is not None:
        _leave_mounts()
        Outside.leave(base)
        agent = Agent()
        agent.serve()
        agent.clean_up()
        Outside.enter()
        remove(base)
    else:
        Agent().serve()
    os._exit(0)  # whoever is left here has nothing to say


def _leave_mounts() -> None:
    """Go into a mount namespace that ends with the agent and those whom it starts, where there is such a thing."""
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            libc.unshare(libc.CLONE_NEWNS)
            libc.mount(None, "/", None, libc.MS_REC | libc.MS_PRIVATE)
