"""A connection to NATS: how it is made, that it says nothing in the open, and how nothing of it is left in the end.

Whether a connection is encrypted is in NATS's protocol a word of the server's (`tls_required` in its INFO), which comes
in the open: whoever sits in between can take it away. So where encryption is asked for, nothing is said before the
connection is encrypted and the other side's certificate has been verified.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import re
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

from observatory.errors import ExitStatus, ObservatoryError
from observatory.forward.encryption import tls_context
from observatory.forward.nats_credentials import credential_options

CONNECT_PATIENCE: Final = 5.0
"""Seconds for a connection to be made."""
_VIOLATION: Final = re.compile(r"permissions violation for (publish|subscription) to \"([^\"]*)\"", re.IGNORECASE)


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

    @property
    def encrypted(self) -> bool:
        """Whether nothing may be said in the open."""
        return self.ca is not None or any(server.startswith("tls://") for server in self.servers)

    def options(self) -> dict[str, Any]:
        """What nats-py is to be told. Raises ObservatoryError if a file is not what it should be."""
        options = {} if self.credentials is None else credential_options(self.credentials)
        if self.encrypted:
            options["tls"] = tls_context(self.ca)
        return options


class NatsConnection(Client):
    """A client of nats-py that says who it is only where that is encrypted, and keeps what it's not permitted to do."""

    def __init__(self, *, encrypted: bool) -> None:
        super().__init__()
        self._encrypted = encrypted
        self.refusals: list[str] = []
        """What NATS did not permit, in words; each once."""

    def reason(self, error: BaseException) -> str:
        """Why something failed: what was not permitted, if there is such a thing, or else the error's own words."""
        return self.refusals[-1] if self.refusals else str(error) or type(error).__name__

    def check_encryption(self) -> None:
        """Raise NatsConnectionError unless the connection is as private as it was asked to be."""
        if not self._encrypted:
            return
        tls = _of_the_transport(self, "ssl_object")
        if tls is None:
            raise NatsConnectionError(
                "the connection is not encrypted: this NATS, or somebody in between, offers no TLS; nothing was sent"
            )
        if tls.context.verify_mode is not ssl.CERT_REQUIRED or not tls.context.check_hostname or not tls.getpeercert():
            raise NatsConnectionError("the certificate of this NATS has not been verified; nothing was sent")

    def _connect_command(self) -> bytes:
        # The first that is said, with the credentials in it.
        self.check_encryption()
        return super()._connect_command()

    async def note(self, error: Exception) -> None:
        """Keep what was not permitted. What else goes wrong is seen where it matters: no answer comes."""
        found = _VIOLATION.search(str(error))
        if found and len(self.refusals) < 100:
            verb = "publish to" if found[1].lower() == "publish" else "subscribe to"
            sentence = f"NATS does not permit this account to {verb} {found[2]}"
            if sentence not in self.refusals:
                self.refusals.append(sentence)


async def connect(access: Access, inbox: str) -> NatsConnection:
    """A connection that is never taken up again by itself.

    Raises NatsConnectionError, and ObservatoryError where nats-py is one with which no connection can be dropped.
    """
    try:
        options = access.options()
    except ObservatoryError as error:
        raise NatsConnectionError(str(error)) from error
    if not hasattr(Client, "_connect_command"):
        raise _other_library("says who one is in another place than it used to, so that it might do so in the open")
    asyncio.get_running_loop().set_exception_handler(_leave_to_whoever_waits)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # 3.11.2 warns of its own way to end a connection with TLS
    nc = NatsConnection(encrypted=access.encrypted)
    try:
        await asyncio.wait_for(
            nc.connect(
                list(access.servers),
                name=f"observatory {access.host}",
                inbox_prefix=inbox,
                allow_reconnect=False,
                connect_timeout=int(CONNECT_PATIENCE),
                ping_interval=2,
                max_outstanding_pings=3,
                error_cb=nc.note,
                **options,
            ),
            CONNECT_PATIENCE * (1 + len(access.servers)),
        )
        nc.check_encryption()
        # When it's closed, by whatever, the kernel throws away what it has not delivered; see `drop`.
        sock = _of_the_transport(nc, "socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except (OSError, nats.errors.Error, TimeoutError, ValueError, NatsConnectionError) as error:
        await _abandon(nc)
        raise NatsConnectionError(
            f"can't connect to {' or '.join(access.servers)}: {str(error) or type(error).__name__}"
        ) from error
    except BaseException:
        await _abandon(nc)
        raise
    return nc


def _leave_to_whoever_waits(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of what a connection's own tasks come to when it breaks: whoever uses it finds it broken."""
    if not isinstance(context.get("exception"), (OSError, nats.errors.Error, TimeoutError)):
        loop.default_exception_handler(context)


async def drop(nc: NatsConnection) -> None:
    """Close a connection, whatever state it is in, and leave nothing of it that could still arrive.

    What was written to a connection that is given up would otherwise be delivered by this process or its kernel as soon
    as the link is there again: after the same events' predecessors had been lost with a leader, and before those are
    sent anew.
    """
    _abort(nc)
    await _close(nc)


async def _abandon(nc: NatsConnection) -> None:
    """Close what may have been half made, or not at all."""
    with contextlib.suppress(ObservatoryError):
        _abort(nc)
    await _close(nc)


async def _close(nc: NatsConnection) -> None:
    with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
        await asyncio.wait_for(nc.close(), 1.0)
    # Where there was still something to write, nats-py stops at that, and Python complains of the tasks that are left.
    for subscription in [*nc._subs.values()]:
        subscription._stop_processing()


def _abort(nc: Client) -> None:
    """End a connection at once. One with TLS that both ends have closed has no protocol any more, and nothing to end.

    A later Python says nothing of that; Debian 12's, 3.11.2, raises AttributeError.
    """
    transport = writer(nc).transport
    with contextlib.suppress(AttributeError):
        transport.abort()


def _of_the_transport(nc: Client, name: str) -> Any:
    """What asyncio knows of a connection under this name. Raises NatsConnectionError if it was lost.

    Of one with TLS that both ends have closed, Python itself raises AttributeError.
    """
    try:
        return writer(nc).get_extra_info(name)
    except AttributeError:
        raise NatsConnectionError("the connection was lost") from None


def writer(nc: Client) -> asyncio.StreamWriter:
    """What the connection is written to. Raises ObservatoryError if it is not where nats-py has it today.

    No public name leads to it, and without it `drop` could not keep its promise: so whoever has a nats-py that names it
    otherwise is told so, and forwards nothing, rather than forward out of order after the next broken connection.
    """
    found = getattr(nc._transport, "_io_writer", None)
    if not isinstance(found, asyncio.StreamWriter):
        raise _other_library(
            "does not show what it writes to, so that a connection could not be given up without events arriving out "
            "of order"
        )
    return found


def _other_library(what: str) -> ObservatoryError:
    version = importlib.metadata.version("nats-py")
    return ObservatoryError(f"nats-py {version} {what}; install another version of it, such as 2.16")
