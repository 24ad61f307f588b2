"""Why something can't be done, and how a command then ends."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit statuses of the `observatory` command: a part of its contract."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 69
    """There is no server at that socket: EX_UNAVAILABLE of sysexits.h."""
    NOT_PERMITTED = 77
    """The server, or a file, is there, and this user may not: EX_NOPERM of sysexits.h."""


class ObservatoryError(Exception):
    """Why something can't be done: one sentence for a person, and the exit status of a command that ends for it.

    Whoever can't go on raises it, on whatever level; a command says the sentence and ends.
    """

    def __init__(self, sentence: str, status: ExitStatus = ExitStatus.FAILED) -> None:
        super().__init__(sentence)
        self.status = status
