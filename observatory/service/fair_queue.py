"""Connections for which the server has to do something, so that no account's are before all of another's."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from observatory.service.quota import Account

AT_ONCE: Final = 128
"""Connections of one account that can get a turn before the next account does: more than its part of one is worth."""


class Charged(Protocol):
    """What some account is charged for."""

    account: Account


Queued = TypeVar("Queued", bound=Charged)


class FairQueue(dict["Account", dict[Queued, None]], Generic[Queued]):
    """A line for each account with anyone in it, in the order of coming. Whose line was served last is the last."""

    __slots__ = ()

    def add(self, connection: Queued) -> None:
        """Let a connection queue."""
        line = self.get(connection.account)
        if line is None:
            self[connection.account] = {connection: None}
        else:
            line[connection] = None

    def discard(self, connection: Queued) -> None:
        """Let a connection leave, wherever it stands. Does nothing if it does not queue."""
        line = self.get(connection.account)
        if line is not None:
            line.pop(connection, None)
            if not line:
                del self[connection.account]

    def next(self) -> Queued:
        """Whose turn it is: it and its account are behind all others then. Raises StopIteration if nobody queues."""
        account, line = next(iter(self.items()))
        connection = next(iter(line))
        line[connection] = line.pop(connection)
        self[account] = self.pop(account)
        return connection

    def serve(self, account: Account) -> list[Queued]:
        """The first of an account's line, which is behind all others then; nobody if there is no line."""
        line = self.get(account)
        if line is None:
            return []
        if len(self) > 1:
            del self[account]
            self[account] = line
        return list(line) if len(line) <= AT_ONCE else list(islice(line, AT_ONCE))

    def everyone(self) -> list[Queued]:
        """All who queue."""
        return [connection for line in self.values() for connection in line]
