"""How much of something scarce each user may hold, and whose turn it is, so that none can take either from the others.

The idea is dbus-broker's: a user may hold as much as is left for everyone else. Whoever comes first gets half of
it at most, the next one half of the rest. Two parts are set aside before that: one for those who hold nothing yet, who
get their first whoever has come before them, and one for root and the server's own user.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar

from observatory.ownership import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

Account: TypeAlias = int | None
"""Who is charged: a user's uid, for all uids that this user has; below 0 the range of a privileged one; None for those
whom the kernel doesn't know."""

SET_ASIDE: Final = 16
"""The part of a resource that is set aside for a purpose: one of so many."""

_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Range:
    """Uids that one user may have besides their own: `count` of them from `first` on (subuid(5))."""

    owner: int
    first: int
    count: int


class Accounts:
    """Which account each uid is charged to. One person may have tens of thousands of uids, and has one account."""

    def __init__(self, ranges: Iterable[Range] = (), server: int | None = None) -> None:
        """`server` is the uid that is privileged besides root; None: this process's."""
        self.privileged: Final = frozenset({ROOT, os.geteuid() if server is None else server})
        self._known: dict[int | None, Account] = {}
        self._firsts: list[int] = []
        self._ranges: list[tuple[int, int]] = []
        end = 0
        for each in sorted(ranges, key=lambda each: each.first):
            first, after = max(each.first, end), each.first + each.count
            if first < after:
                self._firsts.append(first)
                self._ranges.append((after, each.owner))
                end = after

    def of(self, uid: int | None) -> Account:
        """The account of an effective uid."""
        try:
            return self._known[uid]
        except KeyError:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            account = self._known[uid] = self._find(uid)
            return account

    def _find(self, uid: int | None) -> Account:
        if uid is None or uid in self.privileged:
            return uid
        place = bisect_right(self._firsts, uid) - 1
        if place < 0 or uid >= self._ranges[place][0]:
            return uid
        owner = self._ranges[place][1]
        # What runs in a range of root's is not root, and takes nothing of what is set aside for root.
        return -1 - owner if owner in self.privileged else owner


class Quota:
    """Amounts of one resource by account."""

    __slots__ = ("_held", "_privileged", "_reserve", "_unshared", "capacity", "left")

    def __init__(self, capacity: int, privileged: frozenset[int] = frozenset()) -> None:
        self.capacity = capacity
        self.left = capacity
        """What nobody holds."""
        self._privileged = privileged
        self._reserve = max(1, capacity // SET_ASIDE) if privileged else 0
        self._unshared = self._reserve + max(1, capacity // SET_ASIDE)
        self._held: dict[Account, int] = {}

    def take(self, account: Account, amount: int) -> bool:
        """Hand out `amount` more; False, and nothing happens, if the account may not hold so much now."""
        held = self._held.get(account, 0) + amount
        left = self.left - amount
        if held > left - self._unshared and not self._is_set_aside(account, held, amount, left):
            return False
        self._held[account] = held
        self.left = left
        return True

    def _is_set_aside(self, account: Account, held: int, amount: int, left: int) -> bool:
        """Whether there is something for this account that others can't have taken."""
        reserve = self._reserve - sum(self.held(each) for each in self._privileged)
        if account in self._privileged:
            return left >= 0 and (amount <= reserve or held == amount)
        return held == amount and left >= max(0, reserve)

    def give_back(self, account: Account, amount: int) -> None:
        """Take back `amount`, which the account holds."""
        held = self._held[account] - amount
        if held:
            self._held[account] = held
        else:
            del self._held[account]
        self.left += amount

    def held(self, account: Account) -> int:
        """What the account holds."""
        return self._held.get(account, 0)


AT_ONCE: Final = 128
"""Connections of one account that can get a turn before the next account does: more than its part of one is worth."""


class Charged(Protocol):
    """What some account is charged for."""

    account: Account


Queued = TypeVar("Queued", bound=Charged)


class FairQueue(dict[Account, dict[Queued, None]], Generic[Queued]):
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
