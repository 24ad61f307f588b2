"""Connections of which nothing is known yet: a few at a time, none for long, and never so many that the owner waits.

Everybody on the machine can connect to the page's port, and hold connections open or make new ones all the time. Until
a connection has brought the page's key it is a stranger's. When there are too many, the oldest goes: who has just come
gets to say who that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from observatory.web.gate import KNOWN

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

MOST: Final = 64
"""Strangers at a time."""
SECONDS: Final = 10.0
"""How long a stranger may stay. To fetch the page's files takes a fraction of it."""


class Strangers:
    """The strangers at one port."""

    def __init__(self) -> None:
        self._timers: dict[Connection, asyncio.TimerHandle] = {}

    def come(self, connection: Connection) -> None:
        """A connection was made: let another one go if there are too many."""
        while len(self._timers) >= MOST:
            self._turn_out(next(iter(self._timers)))
        self._timers[connection] = connection.loop.call_later(SECONDS, self._turn_out, connection)

    def go(self, connection: Connection) -> None:
        """A connection has ended, or is known by now."""
        if (timer := self._timers.pop(connection, None)) is not None:
            timer.cancel()

    def turn_out_all(self) -> None:
        """End them all."""
        for connection in list(self._timers):
            self._turn_out(connection)

    def _turn_out(self, connection: Connection) -> None:
        self.go(connection)
        connection.transport.abort()


class Connection(H11Protocol):
    """A connection to the page's port. It bounds a request's head, as the parser in C does not."""

    def __init__(self, strangers: Strangers, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._strangers = strangers
        self.app_state = {**self.app_state, KNOWN: lambda: strangers.go(self)}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has come."""
        super().connection_made(transport)
        self._strangers.come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        self._strangers.go(self)
        super().connection_lost(exc)


def connections(strangers: Strangers) -> Callable[..., Connection]:
    """What makes a protocol for each connection, as uvicorn calls it."""
    return lambda *arguments, **named: Connection(strangers, *arguments, **named)
