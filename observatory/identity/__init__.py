"""Who is at the other end of a Unix socket, as the kernel knows it: one function, one module a platform."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from observatory.identity.credentials import PeerCredentials, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "PeerCredentials",
    "Unavailable",
    "accepted_credentials",
    "accepted_uid",
    "known_uid",
    "peer_credentials",
    "peer_label",
    "peer_pidfd",
]


def _nothing(sock: socket.socket) -> PeerCredentials | None:  # noqa: ARG001 - the signature is the point
    """A platform whose kernel keeps no peer credentials."""
    return None


def _no_option(sock: socket.socket) -> Unavailable:  # noqa: ARG001 - as above
    return Unavailable.OPTION


def _any_uid(number: int) -> int | None:
    return number


_platform: str = sys.platform
_known_uid: Callable[[int], int | None] = _any_uid
_credentials: Callable[[socket.socket], PeerCredentials | None] = _nothing
_accepted: Callable[[socket.socket], PeerCredentials | None] | None = None
_uid: Callable[[socket.socket], int | None] | None = None
_pidfd: Callable[[socket.socket], int | Unavailable] = _no_option
_label: Callable[[socket.socket], str | Unavailable] = _no_option

if not hasattr(socket, "AF_UNIX"):
    pass  # Windows, Emscripten, WASI. Not SO_PEERCRED: Emscripten's headers define that one.
elif _platform in {"linux", "android"}:
    from observatory.identity.linux import accepted_credentials as _accepted
    from observatory.identity.linux import accepted_uid as _uid
    from observatory.identity.linux import known_uid as _known_uid
    from observatory.identity.linux import peer_credentials as _credentials
    from observatory.identity.linux import peer_label as _label
    from observatory.identity.linux import peer_pidfd as _pidfd
elif _platform == "darwin":
    from observatory.identity.macos import peer_credentials as _credentials
elif _platform.startswith("freebsd"):
    from observatory.identity.freebsd import peer_credentials as _credentials
elif _platform.startswith("openbsd"):
    from observatory.identity.openbsd import peer_credentials as _credentials
elif _platform.startswith("netbsd"):
    from observatory.identity.netbsd import peer_credentials as _credentials


def peer_credentials(sock: socket.socket) -> PeerCredentials | None:
    """Who opened this connection: the connector, not whoever speaks on it now. See `PeerCredentials`.

    `None` if the socket is not a Unix socket, or if the platform has nothing of the kind. A Unix socket whose
    peer the kernel does not know (unconnected, listening) gives credentials of which every field is `None`.
    Takes a few microseconds, and may be called at any time after accept(): the answer does not change. Raises
    OSError for a descriptor that is closed or no socket.
    """
    return _credentials(sock)


accepted_credentials: Callable[[socket.socket], PeerCredentials | None] = _accepted or peer_credentials
"""`peer_credentials` of a socket that accept() has just given: what that already says is not asked again."""


def _accepted_uid(sock: socket.socket) -> int | None:
    peer = accepted_credentials(sock)
    return None if peer is None else peer.uid


accepted_uid: Callable[[socket.socket], int | None] = _uid or _accepted_uid
"""The uid of `accepted_credentials`, where nothing else is wanted."""


def known_uid(number: int) -> int | None:
    """A uid as the kernel tells it, of a file's owner say; `None` if it may stand for one that has no number here."""
    return _known_uid(number)


def peer_pidfd(sock: socket.socket) -> int | Unavailable:
    """A descriptor of the peer's process, for `observatory.identity.process`; the caller closes it.

    Linux from 6.5 on; `Unavailable` says why there is none. Unlike the pid, it can never come to mean another
    process. Raises OSError for a descriptor that is no socket, or if this process has no descriptor left.
    """
    return _pidfd(sock)


def peer_label(sock: socket.socket) -> str | Unavailable:
    """The peer's security label (SELinux, Smack, AppArmor); `Unavailable` says why there is none.

    Raises OSError for a descriptor that is no socket.
    """
    return _label(sock)
