"""A connection to NATS: how it is made, and how nothing of it is left when it's given up."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import socket
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nats
import nats.errors

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    from nats.aio.client import Client as Nats

CONNECT_PATIENCE: Final = 5.0
"""Seconds for a connection to be made."""


class NatsConnectionError(ObservatoryError):
    """There is no connection, or it is of no use any more; another one may be."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, ExitStatus.UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class Access:
    """How to get in: the servers, the host's name (a token of a subject), and what proves who it is.

    `credentials` is a file: of `nsc` (a token and a key), or with the seed of a key alone. `ca` is a file of
    certificates.
    """

    servers: tuple[str, ...]
    host: str
    credentials: str | None = None
    ca: str | None = None


async def connect(access: Access, inbox: str) -> Nats:
    """A connection that is never taken up again by itself.

    Raises NatsConnectionError, and ObservatoryError where nats-py is one with which no connection can be dropped.
    """

    async def quiet(_error: Exception) -> None:
        """What goes wrong is seen where it matters: no acknowledgement comes."""

    options: dict[str, Any] = {}
    if access.credentials is not None:
        options["user_credentials" if _has_token(access.credentials) else "nkeys_seed"] = access.credentials
    if any(server.startswith("tls://") for server in access.servers):
        options["tls"] = ssl.create_default_context(cafile=access.ca)
    try:
        nc = await asyncio.wait_for(
            nats.connect(
                list(access.servers),
                name=f"observatory {access.host}",
                inbox_prefix=inbox,
                allow_reconnect=False,
                connect_timeout=int(CONNECT_PATIENCE),
                ping_interval=2,
                max_outstanding_pings=3,
                error_cb=quiet,
                **options,
            ),
            CONNECT_PATIENCE * (1 + len(access.servers)),
        )
        try:
            # When it's closed, by whatever, the kernel throws away what it has not delivered; see `drop`.
            sock = _writer(nc).get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (ObservatoryError, OSError):
            await nc.close()
            raise
    except (OSError, nats.errors.Error, TimeoutError, ssl.SSLError, ValueError) as error:
        raise NatsConnectionError(
            f"can't connect to {' or '.join(access.servers)}: {str(error) or type(error).__name__}"
        ) from error
    return nc


def _has_token(path: str) -> bool:
    """Whether a credentials file has a token in it. Raises NatsConnectionError."""
    try:
        return b"NATS USER JWT" in Path(path).read_bytes()
    except OSError as error:
        raise NatsConnectionError(f"can't read {path}: {error.strerror}") from error


async def drop(nc: Nats) -> None:
    """Close a connection, whatever state it is in, and leave nothing of it that could still arrive.

    What was written to a connection that is given up would otherwise be delivered by this process or its kernel as soon
    as the link is there again: after the same events' predecessors had been lost with a leader, and before those are
    sent anew.
    """
    _writer(nc).transport.abort()
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        await asyncio.wait_for(nc.close(), 1.0)


def _writer(nc: Nats) -> asyncio.StreamWriter:
    """What the connection is written to. Raises ObservatoryError if it is not where nats-py has it today.

    No public name leads to it, and without it `drop` could not keep its promise: so whoever has a nats-py that names it
    otherwise is told so, and forwards nothing, rather than forward out of order after the next broken connection.
    """
    writer = getattr(nc._transport, "_io_writer", None)
    if not isinstance(writer, asyncio.StreamWriter):
        raise ObservatoryError(
            f"nats-py {importlib.metadata.version('nats-py')} does not show what it writes to, so that a connection "
            "could not be given up without events arriving out of order; install another version of it, such as 2.16"
        )
    return writer
