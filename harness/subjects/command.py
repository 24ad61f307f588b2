"""Somebody's own server, given as the command that starts it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.subjects.subject import Subject


@dataclass(frozen=True)
class CommandSubject(Subject):
    """A server of which nothing is known but what is said of it; `path` is the one path that it is told, if any.

    Nothing is prepared for it, so no user has anything in it.
    """

    path: str = ""

    def endpoint(self, directory: str) -> str:
        """The path, or the usual one where none is given."""
        return self.path or super().endpoint(directory)
