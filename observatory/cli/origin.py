"""Where a command's events come from: a server's socket, or with `--from` the hosts on a NATS."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from observatory.cli.server_options import client
from observatory.errors import ExitStatus, ObservatoryError
from observatory.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from observatory.client.client import Client
    from observatory.feed.source import Source
    from observatory.forward.nats_connection import Access
    from observatory.forward.nats_source import NatsSource


def add_origin_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a NATS in place of a server."""
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="URL",
        help="read the events of many hosts from nats://HOST:PORT or tls://HOST:PORT in place of a server's socket",
    )
    parser.add_argument(
        "--creds", metavar="FILE", help="NATS credentials, with --from: a file that nsc made, or the seed of a key"
    )
    parser.add_argument(
        "--ca", metavar="FILE", help="the authorities that may sign the certificate of NATS (PEM), with --from"
    )


def lacking(error: ImportError, extra: str) -> ObservatoryError:
    """What to say where an extra is not installed."""
    package = (error.name or "a package").partition(".")[0]
    return ObservatoryError(f"this needs {package}, which is not installed: pip install 'claude-observatory[{extra}]'")


def nats_access(options: argparse.Namespace, servers: Sequence[str], host: str, warn: Callable[[str], None]) -> Access:
    """How to get in to a NATS by these options, which are looked at now. Raises ObservatoryError."""
    try:
        from observatory.forward.nats_connection import Access
        from observatory.forward.nats_credentials import warn_of_readers
        from observatory.forward.nats_subject import token
    except ImportError as error:
        raise lacking(error, "fleet") from None
    if options.creds is not None:
        warn_of_readers(options.creds, warn)
    access = Access(tuple(servers), token(host), options.creds, options.ca)
    access.options()
    return access


def _warn(sentence: str) -> None:
    print(f"observatory: {printable(sentence)}", file=sys.stderr, flush=True)


def nats_source(options: argparse.Namespace) -> NatsSource:
    """The hosts on the NATS that `--from` names. Raises ObservatoryError."""
    servers = tuple(options.origin.split(","))
    if not all(server.startswith(("nats://", "tls://")) for server in servers):
        raise ObservatoryError(f"{options.origin!r} is not nats://HOST:PORT or tls://HOST:PORT", ExitStatus.USAGE)
    access = nats_access(options, servers, f"reader-{os.getpid()}", _warn)
    from observatory.forward.nats_source import NatsSource

    return NatsSource(access)


def origin_of(options: argparse.Namespace) -> Client | NatsSource:
    """Whom to ask for events: the hosts on the NATS that `--from` names, else a server. Raises ObservatoryError."""
    return client(options) if options.origin is None else nats_source(options)


def source(options: argparse.Namespace) -> Source:
    """Where the events come from; whoever may not read them is told now. Raises ObservatoryError."""
    from observatory.feed.source import ServerSource

    if options.origin is not None:
        found = nats_source(options)
        found.newest()
        return found
    server = client(options)
    server.whoami()
    return ServerSource(server)
