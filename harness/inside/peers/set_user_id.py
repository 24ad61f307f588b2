"""Another program that a peer goes on as: a Python that runs as its owner, whoever starts it."""

from __future__ import annotations

import os
import shutil
import socket
import sys

from harness.inside import delivery, loader
from harness.inside.peers.base import CAROL, EARLY, EndError, UnplayableError, connect, myself, record, speak, tell

HELPER = "/srv/helper"


def make(owner: int) -> None:
    """Make it: set-user-ID, and set-group-ID to its owner's group."""
    shutil.copyfile(os.path.realpath("/proc/self/exe"), HELPER)
    os.chown(HELPER, owner, owner)
    os.chmod(HELPER, 0o6755)


def go_on(what: str, token: str, descriptor: int = -1) -> None:
    """Go on as that Python, with this module's `main`."""
    if sys.platform != "linux":
        raise UnplayableError("a file that is nowhere is Linux's")
    call = delivery.call(__name__, {"what": what, "token": token, "descriptor": descriptor})
    ordered = os.memfd_create("order")
    os.write(ordered, (delivery.packed(loader.sent.sources) + call).encode())
    os.lseek(ordered, 0, os.SEEK_SET)
    os.dup2(ordered, 0)
    home = os.pathsep.join({sys.base_prefix: None, sys.base_exec_prefix: None})
    start = delivery.starting(loader.sent.text(loader.NAME))
    os.execve(HELPER, [HELPER, "-S", "-c", start], {**os.environ, "PYTHONHOME": home})


def main(what: str, token: str, descriptor: int) -> None:
    """Connect and speak, or speak on a connection that was there."""
    try:
        if os.getuid() == os.geteuid():
            raise UnplayableError(
                f"{HELPER} is set-user-ID to {CAROL}, and its file system or the process does not honour that"
            )
        if what == "connect":
            record(token, myself())
            speak(connect(), token)
        else:
            speak(socket.socket(fileno=descriptor), token)
    except EndError as why:
        tell(why)
        sys.exit(EARLY)
