"""Sockets that launchd made: launch_activate_socket(3), by the names in the job's property list (launchd.plist(5))."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError
from observatory.listening.systemd import OUTPUT, adopted

if TYPE_CHECKING:
    from observatory.listening.socket_file import Listener

_NOT_OURS: Final = frozenset({errno.ENOENT, errno.ESRCH})
"""The job has no socket of that name; this process is no job of launchd's."""


def activated_listeners() -> dict[str, Listener]:
    """The listening sockets that launchd has for this job, by `"main"` and `OUTPUT`; usually none.

    Raises ObservatoryError for what is no listening Unix stream socket, and for more than one of a name.
    """
    found: dict[str, Listener] = {}
    if sys.platform == "darwin":
        for name in ("main", OUTPUT):
            descriptors = _activate(name)
            if len(descriptors) > 1:
                raise ObservatoryError(f"launchd passes more than one {name} socket: one is served")
            for descriptor in descriptors:
                found[name] = adopted(descriptor, "launchd")
    return found


def _activate(name: str) -> list[int]:
    library = ctypes.CDLL(None)
    numbers = ctypes.POINTER(ctypes.c_int)()
    count = ctypes.c_size_t()
    failed: int = library.launch_activate_socket(name.encode(), ctypes.byref(numbers), ctypes.byref(count))
    if failed in _NOT_OURS:
        return []
    if failed:
        raise ObservatoryError(f"launchd does not give the socket {name}: {os.strerror(failed)}")
    try:
        return [numbers[place] for place in range(count.value)]
    finally:
        library.free(numbers)
