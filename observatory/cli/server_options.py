"""The options that say which server a command means, and whose it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory.address import SOCKET_DEFAULT, SYSTEM_SOCKET, default_socket, system_uids
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse

    from observatory.client.client import Client

SOCKET_HELP = f"the server's socket (default: {SOCKET_DEFAULT})"


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server is meant, and whose."""
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument(
        "--server-user",
        metavar="USER",
        action="append",
        default=[],
        help="also trust a server of this user (name or uid); may be given again. Your own servers, root's, and "
        "the system-wide one at its own socket are always trusted; another user's is refused",
    )


def socket_path(options: argparse.Namespace) -> str:
    """The path of the server's socket. Raises ObservatoryError for a user who doesn't exist."""
    return str(options.socket or default_socket(_named(options)))


def server_uids(options: argparse.Namespace) -> frozenset[int]:
    """Whose server is trusted beside one's own and root's: that of `--server-user`, and at its own socket the system's.

    Raises ObservatoryError for a user who doesn't exist, or may be anybody.
    """
    return _named(options) | (system_uids() if socket_path(options) == SYSTEM_SOCKET else frozenset())


def _named(options: argparse.Namespace) -> frozenset[int]:
    from observatory.identity import known_uid
    from observatory.identity.names import uid_of

    uids = frozenset(uid_of(user) for user in options.server_user)
    for uid in uids:
        if known_uid(uid) is None:
            raise ObservatoryError(
                f"--server-user {uid}: in this user namespace that stands for every user who has no number here, so it "
                f"can't be trusted; run this outside of the container, or map the server's uid into it",
                ExitStatus.USAGE,
            )
    return uids


def client(options: argparse.Namespace) -> Client:
    """The server that the options mean. Raises ObservatoryError for a user who doesn't exist."""
    from observatory.client.client import Client

    return Client(socket_path(options), server_uids(options))
