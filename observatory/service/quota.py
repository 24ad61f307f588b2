"""How much of something scarce each user may hold, so that none can take it from the others.

The idea is dbus-broker's: a user may hold as much as is left for everyone else. Whoever comes first gets half of
it at most, the next one half of the rest, and there is always something for one who has nothing yet, however many
come together.
"""

from __future__ import annotations


class Quota:
    """Amounts of one resource by user (an effective uid, or None for those whom the kernel doesn't know)."""

    __slots__ = ("_held", "left")

    def __init__(self, capacity: int) -> None:
        self.left = capacity
        """What nobody holds."""
        self._held: dict[int | None, int] = {}

    def take(self, user: int | None, amount: int) -> bool:
        """Hand out `amount` more; False, and nothing happens, if the user would hold more than is left then."""
        held = self._held.get(user, 0) + amount
        left = self.left - amount
        if held > left:
            return False
        self._held[user] = held
        self.left = left
        return True

    def give_back(self, user: int | None, amount: int) -> None:
        """Take back `amount`, which the user holds."""
        held = self._held[user] - amount
        if held:
            self._held[user] = held
        else:
            del self._held[user]
        self.left += amount

    def held(self, user: int | None) -> int:
        """What the user holds."""
        return self._held.get(user, 0)
