"""The protocols in which a server can be asked something: one module each, all with the same few names.

`begin(connection)` sends the beginning of a request, so that the server waits for the rest. `ask(connection, token,
claims)` makes a whole request and reads its answer. `TELLS` says how the server lets us know whom it saw: in its
`answer`, on its standard `output`, or not at all (`None`).
"""

from __future__ import annotations

import json
import socket
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from harness.inside import errnos
from harness.inside.dialects import (
    dbus,
    docker,
    haproxy,
    hooks,
    http,
    mariadb,
    memcached,
    nothing,
    postgresql,
    redis,
    ssh_agent,
)
from harness.inside.dialects.answer import NO_CLAIMS, Answer, Claims
from harness.inside.dialects.exchange import Exchange
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
    "redis": redis,
    "memcached": memcached,
    "mariadb": mariadb,
    "haproxy": haproxy,
    "dbus": dbus,
    "nothing": nothing,
}
NAMES = tuple(DIALECTS)


def dialect(speaks: str) -> Dialect:
    """The dialect of that name; of a JSON object, the one that it describes.

    Such an object has a `name`, and either the text of a `module` like those of this package, or what
    `harness.inside.dialects.exchange` takes: so somebody's own protocol goes wherever a name goes.
    """
    return _described(speaks) if speaks.startswith("{") else DIALECTS[speaks]


def dialect_name(speaks: str) -> str:
    """What a dialect is called."""
    return str(json.loads(speaks)["name"]) if speaks.startswith("{") else speaks


@lru_cache(maxsize=8)
def _described(speaks: str) -> Dialect:
    description = json.loads(speaks)
    if "module" not in description:
        return cast("Dialect", Exchange(description))
    module = ModuleType(description["name"])
    exec(compile(description["module"], description["name"], "exec"), module.__dict__)  # noqa: S102 - its author asks
    return cast("Dialect", module)


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
