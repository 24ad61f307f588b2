"""What several subcommands share: their options for a server, and their way of saying what went wrong."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from observatory.address import SOCKET_DEFAULT, default_socket
from observatory.cli.exit_status import FAILED, NOT_PERMITTED, UNAVAILABLE, USAGE
from observatory.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from observatory.client.client import Client

SOCKET_HELP = f"the server's socket (default: {SOCKET_DEFAULT})"


class Stop(Exception):  # noqa: N818 - it is the way to stop, not an error of this program
    """The command can't go on: one sentence for a person, and the exit status."""

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.status = status


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which server is meant, and whose."""
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument(
        "--server-user",
        metavar="USER",
        action="append",
        default=[],
        help="also trust a server of this user (name or uid); may be given again. One's own, and root's, are trusted "
        "always; another user's is refused",
    )


def socket_path(options: argparse.Namespace) -> str:
    """The path of the server's socket. Raises Stop for a user who doesn't exist."""
    return str(options.socket or default_socket(server_uids(options)))


def server_uids(options: argparse.Namespace) -> frozenset[int]:
    """The uids of `--server-user`. Raises Stop for a user who doesn't exist."""
    from observatory.client.client import UnknownUserError, uid_of

    try:
        return frozenset(uid_of(user) for user in options.server_user)
    except UnknownUserError as error:
        raise Stop(str(error), USAGE) from error


def client(options: argparse.Namespace) -> Client:
    """The server that the options mean. Raises Stop."""
    from observatory.client.client import Client

    return Client(socket_path(options), server_uids(options))


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn what a Client raises into Stop."""
    from observatory.client.client import ClientError, ForbiddenError, MistakenError, UnavailableError

    try:
        yield
    except ClientError as error:
        statuses = {UnavailableError: UNAVAILABLE, ForbiddenError: NOT_PERMITTED, MistakenError: USAGE}
        raise Stop(str(error), statuses.get(type(error), FAILED)) from error


def stop(options: argparse.Namespace, error: Stop) -> int:
    """Say why a command stopped; its exit status."""
    print(f"observatory {options.command}: {printable(str(error))}", file=sys.stderr)
    return error.status
