"""Where a server is reached: a path, `@name` in the abstract name space, or `tcp:HOST:PORT`."""

from __future__ import annotations

import errno
import glob
import os
import socket
import stat
import struct

from harness.inside import errnos

TCP = "tcp:"
TYPES = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)


def find(endpoint: str) -> str | None:
    """The endpoint itself; for a pattern, the socket that fits it, or `None` while there is none."""
    if "*" not in endpoint:
        return endpoint
    fitting = [*glob.glob(endpoint), *(glob.glob(endpoint[:-1] + ".*") if endpoint.endswith("/*") else ())]
    return next((path for path in sorted(fitting) if _is_socket(path)), None)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def connect(endpoint: str, seconds: float) -> socket.socket:
    """A connected socket of the type that is there, all of whose operations end within that time; with 0 none waits.

    Raises OSError. A blocking connect with SO_SNDTIMEO waits for a place in a full queue; a non-blocking one on
    AF_UNIX would fail with EAGAIN at once (unix(7), socket(7)). The kernel asks for the permissions first and for the
    type afterwards (unix_find_bsd in net/unix/af_unix.c), so EPROTOTYPE says only that another type is there.
    """
    found = find(endpoint)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "nothing fits " + endpoint)
    if found.startswith(TCP):
        host, _, port = found[len(TCP) :].rpartition(":")
        return socket.create_connection((host, int(port)), timeout=seconds)
    for kind in TYPES:
        try:
            return _connect(kind, "\0" + found[1:] if found.startswith("@") else found, seconds)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE or kind == TYPES[-1]:
                raise
    raise AssertionError("the last type either connects or raises")


def _connect(kind: int, name: str, seconds: float) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, kind)
    if not seconds:
        peer.setblocking(False)
    whole = int(seconds)
    wait = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
    try:
        peer.connect(name)
    except OSError:
        peer.close()
        raise
    peer.settimeout(seconds)
    return peer


def knock(endpoint: str) -> str:
    """Try to get in without waiting: `ok`, or the errno name of the refusal.

    A full queue (EAGAIN) is no refusal: whoever meets one has passed every permission check (unix_stream_connect in
    net/unix/af_unix.c).
    """
    try:
        connect(endpoint, 0.0).close()
    except BlockingIOError:
        return "ok"
    except OSError as error:
        return errnos.name(error)
    return "ok"
