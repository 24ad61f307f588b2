"""What goes wrong again and again is said once, until all is well again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 20
"""Different troubles that are said, at most, before all is well again: the other side may think of ever new ones."""


class Troubles:
    """The troubles with one other side. `log` takes sentences; `well` is the one for when they are over."""

    def __init__(self, log: Callable[[str], None], well: str) -> None:
        self._log = log
        self._well = well
        self._said: set[str] = set()

    def add(self, trouble: str) -> None:
        """Say it, unless it was said since all was well."""
        if trouble not in self._said and len(self._said) < MOST:
            self._said.add(trouble)
            self._log(f"{trouble}; trying again")

    def end(self) -> None:
        """All is well: say so, if anything was wrong."""
        if self._said:
            self._said.clear()
            self._log(self._well)
