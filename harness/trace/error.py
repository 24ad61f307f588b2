"""What keeps a process from being followed."""

from __future__ import annotations


class TraceError(Exception):
    """A process can't be followed: one sentence."""


class CommandError(Exception):
    """The command can't be started: one sentence. `status` is what env(1) ends with then."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
