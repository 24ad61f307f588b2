"""Connections for which the server has to do something, so that no account's are before all of another's."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory.service.quota import Account

AT_ONCE: Final = 128
"""Connections of one account that can get a turn before the next account does: more than its part of one is worth."""


class Charged(Protocol):
    """What some account is charged for."""

    account: Account


Queued = TypeVar("Queued", bound=Charged)


class FairQueue(Generic[Queued]):
    """A line for each account, in the order of coming. Whose line was served last is behind all others."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[Account, dict[Queued, None]] = {}

    def add(self, connection: Queued) -> None:
        """Let a connection queue."""
        line = self._lines.get(connection.account)
        if line is None:
            self._lines[connection.account] = {connection: None}
        else:
            line[connection] = None

    def discard(self, connection: Queued) -> None:
        """Let a connection leave, wherever it stands. Does nothing if it does not queue."""
        line = self._lines.get(connection.account)
        if line is not None:
            line.pop(connection, None)
            if not line:
                del self._lines[connection.account]

    def next(self) -> Queued:
        """Whose turn it is: it and its account are behind all others then. Raises StopIteration if nobody queues."""
        account, line = next(iter(self._lines.items()))
        connection = next(iter(line))
        line[connection] = line.pop(connection)
        self._lines[account] = self._lines.pop(account)
        return connection

    def lines(self) -> Iterator[tuple[Account, list[Queued]]]:
        """The first of each account's line, account by account; each account goes behind all others then."""
        for account in list(self._lines):
            line = self._lines.pop(account, None)
            if line is not None:
                self._lines[account] = line
                yield account, list(islice(line, AT_ONCE))

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[Queued]:
        for line in self._lines.values():
            yield from line
