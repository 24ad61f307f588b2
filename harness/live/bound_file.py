"""Whether any socket is bound to a socket's file, in whichever network namespace: the kernel's own answer.

connect(2) from a datagram socket looks for the socket that is bound to the file, in all network namespaces alike, and
compares the types before anything else is done with it (unix_find_bsd in net/unix/af_unix.c): ECONNREFUSED says that
there is none, EPROTOTYPE that there is one of another type. One that takes datagrams would be found, and is sent none.
So no server has a connection of it. It takes write permission on the file, as any connection does.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from harness.live.limits import in_child
from harness.live.lookup import PATH_ONLY

if TYPE_CHECKING:
    from harness.live.components import Component

SECONDS: Final = 1.0
"""A file system that takes longer counts as one that does not answer."""

_ANSWERS: Final = {0: True, errno.EPROTOTYPE: True, errno.ECONNREFUSED: False}


def is_bound(component: Component, root: str) -> bool | None:
    """Whether a socket is bound to a component that is a socket, below a root directory; None where it is not told."""
    try:
        return in_child(lambda: _answer(component, root), SECONDS)
    except (OSError, EOFError):
        return None


def _answer(component: Component, root: str) -> bool | None:
    """Raises OSError. By a descriptor, since another file may be there by now, and a path may be too long to call."""
    descriptor = os.open(root + component.path, PATH_ONLY | os.O_CLOEXEC)
    try:
        if not os.path.samestat(os.fstat(descriptor), component.status):
            return None
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            return _ANSWERS.get(asking.connect_ex(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)
