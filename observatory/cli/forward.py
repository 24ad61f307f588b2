"""`observatory forward`: events on their way to other machines."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE
from observatory.cli.origin import lacking, nats_access
from observatory.cli.remarks import remark
from observatory.cli.server_options import add_server_options, client
from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from observatory.feed.source import DatabaseSource
    from observatory.forward.cursor import Cursor
    from observatory.forward.forwarder import Forwarder

SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `forward`."""
    parser = subparsers.add_parser(
        "forward",
        help="forward events to NATS JetStream or to an OpenTelemetry collector",
        description="Forward the events of a server that you may see: from where the last run ended, and then as they "
        "come. An event counts as sent when the other side has acknowledged it. In NATS each event arrives once, "
        "and those of a host in their order; a collector may get some twice.",
    )
    add_server_options(parser)
    parser.add_argument(
        "--to",
        metavar="URL",
        required=True,
        help="nats://HOST:PORT or tls://HOST:PORT (several, with commas), or otlp+http://HOST:PORT or otlp+https://...",
    )
    parser.add_argument(
        "--host", metavar="NAME", help="this machine's name among the others (default: its full hostname)"
    )
    parser.add_argument("--creds", metavar="FILE", help="NATS credentials: a file that nsc made, or the seed of a key")
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="the authorities that may sign the other side's certificate (PEM); then nothing is sent unencrypted",
    )
    parser.add_argument("--cursor", metavar="FILE", help="where to record its progress (default: the state directory)")
    parser.add_argument("--once", action="store_true", help="end when all events that there are now have arrived")
    parser.add_argument(
        "--make-stream",
        metavar="REPLICAS",
        type=_replicas,
        help="make the stream on NATS, with this many copies, and end; with --retain it keeps events for that time",
    )
    parser.add_argument("--retain", metavar="SPAN", type=_span, help="such as 90d or 12h; only with --make-stream")
    parser.set_defaults(run=run)


def _replicas(text: str) -> int:
    import argparse

    if text not in {"1", "3", "5"}:
        raise argparse.ArgumentTypeError(f"{text!r} is not 1, 3 or 5")
    return int(text)


def _span(text: str) -> int:
    import argparse

    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text, re.ASCII)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not a span such as 90d, 12h, 30m or 60s")
    return int(found[1]) * SPANS[found[2]]


def run(options: argparse.Namespace) -> int:
    """Forward until SIGINT or SIGTERM."""
    host = _host(options)
    servers = options.to.split(",")
    scheme = servers[0].partition("://")[0]
    for url in servers:
        _check_url(url, scheme)
    if options.retain is not None and options.make_stream is None:
        raise ObservatoryError("--retain says what the stream keeps, and so goes with --make-stream", ExitStatus.USAGE)
    if scheme in {"nats", "tls"}:
        return _to_nats(options, servers, host)
    if options.make_stream is not None or options.creds is not None:
        raise ObservatoryError("--make-stream and --creds are for NATS", ExitStatus.USAGE)
    if options.ca is not None and scheme != "otlp+https":
        raise ObservatoryError(f"{options.to} is not encrypted: --ca is for otlp+https://", ExitStatus.USAGE)
    return _to_otlp(options, host)


def _check_url(url: str, scheme: str) -> None:
    parts = urlsplit(url)
    known = {"nats", "tls", "otlp+http", "otlp+https"}
    if parts.scheme not in known or parts.scheme != scheme or not parts.hostname:
        raise ObservatoryError(
            f"{url!r} is not nats://HOST:PORT, tls://HOST:PORT, otlp+http://HOST:PORT or otlp+https://...",
            ExitStatus.USAGE,
        )


def _host(options: argparse.Namespace) -> str:
    """This machine's name among the others. Raises ObservatoryError."""
    name = options.host if options.host is not None else socket.gethostname()
    if not name or len(name) > 64:
        raise ObservatoryError("the host's name must have 1 to 64 characters; say it by --host", ExitStatus.USAGE)
    return str(name)


def _to_nats(options: argparse.Namespace, servers: list[str], host: str) -> int:
    import asyncio

    access = nats_access(options, servers, host, _log)
    from observatory.forward.nats import NatsForwarder
    from observatory.forward.nats_stream import make_stream
    from observatory.forward.nats_subject import STREAM

    if options.make_stream is not None:
        asyncio.run(make_stream(access, options.make_stream, options.retain))
        _log(f"the stream {STREAM} is there, in {options.make_stream} copies")
        return ExitStatus.DONE
    return _forward(options, host, lambda source, cursor: NatsForwarder(access, source, cursor, _log))


def _to_otlp(options: argparse.Namespace, host: str) -> int:
    try:
        from observatory.forward.otlp import OtlpForwarder
    except ImportError as error:
        raise lacking(error, "otlp") from None
    from observatory.forward.dead_letters import DeadLetters
    from observatory.forward.encryption import tls_context

    if options.ca is not None:
        tls_context(options.ca)  # whoever names something else is told now
    endpoint = options.to.removeprefix("otlp+").rstrip("/")
    if not urlsplit(endpoint).path:
        endpoint += "/v1/logs"

    def make(_source: DatabaseSource, cursor: Cursor) -> OtlpForwarder:
        dead_letters = DeadLetters(cursor.path.with_name(cursor.path.name + ".refused"))
        return OtlpForwarder(endpoint, host, cursor, _log, options.ca, dead_letters)

    return _forward(options, host, make)


def _forward(options: argparse.Namespace, host: str, make: Callable[[DatabaseSource, Cursor], Forwarder]) -> int:
    import asyncio

    from observatory.feed.source import ServerSource
    from observatory.forward.cursor import Cursor, default_path
    from observatory.forward.forwarder import forward
    from observatory.forward.history import begin

    server = client(options)
    server.whoami()  # whoever may not ask is told now
    source = ServerSource(server)
    # By the well-known name if nobody says, wherever that server listens now.
    name = options.socket or os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET
    path = Path(options.cursor) if options.cursor else default_path(name, options.to, host)
    with Cursor(path) as cursor:
        cursor.position = begin(source, cursor.position, _log)
        _log(f"forwarding what comes after event {cursor.position.id} of {source.name} to {options.to} as {host}")
        asyncio.run(forward(lambda: make(source, cursor), source, cursor, _log, once=options.once))
    return ExitStatus.DONE


def _log(sentence: str) -> None:
    remark("forward", sentence)
