"""Sockets that systemd made, and telling it how far we are: sd_listen_fds(3) and sd_notify(3), by the protocol."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError
from observatory.listening.socket_file import Listener

if TYPE_CHECKING:
    from collections.abc import MutableMapping

FIRST: Final = 3
"""SD_LISTEN_FDS_START: the number of the first descriptor that is passed."""
OUTPUT: Final = "output"
"""The FileDescriptorName= of the socket unit which is to be the output socket; the other one is the main socket."""


def passed_listeners(environment: MutableMapping[str, str]) -> dict[str, Listener]:
    """The listening sockets that were passed to this process, by `"main"` and `OUTPUT`; usually none.

    What says so is taken out of the environment, as it isn't meant for any child. Raises ObservatoryError for
    descriptors that are no listening Unix stream sockets, and for more of them than there's use for.
    """
    values = {name: environment.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    environment.pop("LISTEN_PIDFDID", None)
    if values["LISTEN_PID"] != str(os.getpid()) or not values["LISTEN_FDS"].isdecimal():
        return {}
    names = values["LISTEN_FDNAMES"].split(":")
    found: dict[str, Listener] = {}
    for place in range(int(values["LISTEN_FDS"])):
        name = OUTPUT if place < len(names) and names[place] == OUTPUT else "main"
        if name in found:
            raise ObservatoryError(f"systemd passes more than one {name} socket: one is served")
        found[name] = adopted(FIRST + place, "systemd")
    return found


def adopted(descriptor: int, manager: str) -> Listener:
    """A listener of a socket that a service manager made. Raises ObservatoryError for any other descriptor."""
    os.set_inheritable(descriptor, False)
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise ObservatoryError(f"{manager} passes descriptor {descriptor}, which is not a socket")
    sock = socket.socket(fileno=descriptor)
    name = sock.getsockname() if sock.family == socket.AF_UNIX else None
    if (
        sock.family != socket.AF_UNIX
        or sock.type != socket.SOCK_STREAM
        or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        or not isinstance(name, str)
        or not name
    ):
        raise ObservatoryError(
            f"{manager} passes descriptor {descriptor}, which is not a listening Unix stream socket with a path"
        )
    sock.setblocking(False)
    made = os.stat(name)
    # Without an inode to remove: the file is the manager's, and outlives this process.
    return Listener(sock, name, stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid)


def notify(state: str, environment: MutableMapping[str, str]) -> None:
    """Tell the service manager a state such as `READY=1`, if there's one who wants to know. Never raises."""
    address = environment.get("NOTIFY_SOCKET", "")
    if address[:1] not in {"/", "@"}:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        sock.sendall(state.encode())
