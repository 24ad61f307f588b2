"""What keeps the agent from doing what it is asked."""

from __future__ import annotations


class RefusalError(Exception):
    """One sentence for a person: what was refused, where and why."""


class EndOfInput(BaseException):
    """Nobody will ask any more."""
