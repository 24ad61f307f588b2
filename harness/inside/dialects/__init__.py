"""The protocols in which a server can be asked something: one module each, all with the same few names.

`begin(connection)` sends the beginning of a request, so that the server waits for the rest. `ask(connection, token,
claims)` makes a whole request and reads its answer. `TELLS` says how the server lets us know whom it saw: in its
`answer`, on its standard `output`, or not at all (`None`).
"""

from __future__ import annotations

import importlib
import socket
from typing import TYPE_CHECKING, Protocol, cast

from harness.inside.dialects.answer import NO_CLAIMS, Answer, Claims
from harness.inside.probes.endpoint import connect, name

if TYPE_CHECKING:
    from typing import Literal

NAMES = ("hooks", "http", "postgresql", "ssh-agent", "docker", "nothing")


class Dialect(Protocol):
    """A module of this package."""

    TELLS: Literal["answer", "output"] | None

    def begin(self, connection: socket.socket) -> None:
        """Send the beginning of a request."""

    def ask(self, connection: socket.socket, token: str, claims: Claims) -> Answer:
        """Make a whole request."""
        ...


def dialect(speaks: str) -> Dialect:
    """The module of that name."""
    return cast("Dialect", importlib.import_module(__name__ + "." + speaks.replace("-", "_")))


def ask(endpoint: str, speaks: str, token: str, seconds: float, claims: Claims = NO_CLAIMS) -> Answer:
    """Connect, make one request, and hang up."""
    try:
        connection = connect(endpoint, seconds)
    except OSError as error:
        return Answer(name(error))
    with connection:
        return ask_on(connection, speaks, token, claims)


def ask_on(connection: socket.socket, speaks: str, token: str, claims: Claims = NO_CLAIMS) -> Answer:
    """Make one request on an open connection."""
    try:
        return dialect(speaks).ask(connection, token, claims)
    except (TimeoutError, BlockingIOError):
        return Answer("silent")
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return Answer("closed")
