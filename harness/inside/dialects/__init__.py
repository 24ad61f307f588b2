"""The protocols in which a server can be asked something: one module each, all with the same few names.

`begin(connection)` sends the beginning of a request, so that the server waits for the rest. `ask(connection, token,
claims)` makes a whole request and reads its answer. `TELLS` says how the server lets us know whom it saw: in its
`answer`, on its standard `output`, or not at all (`None`).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

from harness.inside import errnos
from harness.inside.dialects import docker, hooks, http, nothing, postgresql, ssh_agent
from harness.inside.dialects.answer import NO_CLAIMS, Answer, Claims
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal


class Dialect(Protocol):
    """A module of this package."""

    @property
    def TELLS(self) -> Literal["answer", "output"] | None:  # noqa: N802 - a constant of the module
        """How the server lets us know whom it saw."""

    def begin(self, connection: socket.socket) -> None:
        """Send the beginning of a request."""

    def ask(self, connection: socket.socket, token: str, claims: Claims) -> Answer:
        """Make a whole request."""
        ...


DIALECTS: Mapping[str, Dialect] = {
    "hooks": hooks,
    "http": http,
    "postgresql": postgresql,
    "ssh-agent": ssh_agent,
    "docker": docker,
    "nothing": nothing,
}
NAMES = tuple(DIALECTS)


def dialect(speaks: str) -> Dialect:
    """The module of that name."""
    return DIALECTS[speaks]


def ask(endpoint: str, speaks: str, token: str, seconds: float, claims: Claims = NO_CLAIMS) -> Answer:
    """Connect, make one request, and hang up."""
    try:
        connection = connect(endpoint, seconds)
    except OSError as error:
        return Answer(errnos.name(error))
    with connection:
        return ask_on(connection, speaks, token, claims)


def ask_on(connection: socket.socket, speaks: str, token: str, claims: Claims = NO_CLAIMS) -> Answer:
    """Make one request on an open connection."""
    try:
        return dialect(speaks).ask(connection, token, claims)
    except (socket.timeout, BlockingIOError):  # noqa: UP041 - before Python 3.10 it is no TimeoutError
        return Answer("silent")
    except (EOFError, ConnectionResetError, BrokenPipeError):
        return Answer("closed")
