"""Who is at the other end of a Unix socket, as the kernel knows it: one function, one module a platform."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from observatory.identity.model import PeerCredentials, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PeerCredentials", "Unavailable", "peer_credentials"]


def _nothing(sock: socket.socket) -> PeerCredentials | None:  # noqa: ARG001 - the signature is the point
    """A platform whose kernel keeps no peer credentials."""
    return None


_platform: str = sys.platform
_read: Callable[[socket.socket], PeerCredentials | None] = _nothing
# AF_UNIX, not SO_PEERCRED: Emscripten's headers define that one, and have no Unix sockets.
if hasattr(socket, "AF_UNIX") and _platform in {"linux", "android"}:
    from observatory.identity.linux import peer_credentials as _read


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened this connection: the connector, not whoever speaks on it now. See `PeerCredentials`.

    `None` if the socket is not a Unix socket, or if the platform has nothing of the kind. A Unix socket whose
    peer the kernel does not know (unconnected, listening) gives credentials of which every field is `None`.
    Takes a few microseconds, and may be called at any time after accept(): the answer does not change. Raises
    OSError for a descriptor that is closed or no socket.
    """
    return _read(sock)
