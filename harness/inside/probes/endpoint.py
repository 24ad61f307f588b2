"""Where a server is reached: a path, `@name` in the abstract name space, or `tcp:HOST:PORT`."""

from __future__ import annotations

import errno
import glob
import socket
import struct

from harness.inside import errnos

TCP = "tcp:"


def find(endpoint: str) -> str | None:
    """The endpoint itself; for a pattern, the path that fits it, or `None` while there is none."""
    if "*" not in endpoint:
        return endpoint
    return next(iter(sorted(glob.glob(endpoint))), None)


def connect(endpoint: str, seconds: float) -> socket.socket:
    """A connected stream socket, all of whose operations end within that time; with 0 none waits.

    Raises OSError. A blocking connect with SO_SNDTIMEO waits for a place in a full queue; a non-blocking one on
    AF_UNIX would fail with EAGAIN at once (unix(7), socket(7)).
    """
    found = find(endpoint)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "nothing fits " + endpoint)
    if found.startswith(TCP):
        host, _, port = found[len(TCP) :].rpartition(":")
        return socket.create_connection((host, int(port)), timeout=seconds)
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if not seconds:
        peer.setblocking(False)
    whole = int(seconds)
    wait = struct.pack("ll", whole, int((seconds - whole) * 1e6))
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
    try:
        peer.connect("\0" + found[1:] if found.startswith("@") else found)
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
