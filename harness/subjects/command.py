"""Somebody's own server, given as the command that starts it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.subjects.subject import Subject


@dataclass(frozen=True)
class CommandSubject(Subject):
    """A server of which nothing is known but what is said of it.

    Nothing is prepared for it, so no user has anything in it.
    """
