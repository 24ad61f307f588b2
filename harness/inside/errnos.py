"""Errors by the names of their errnos."""

from __future__ import annotations

import errno


def name(error: OSError) -> str:
    """The errno's name; its number where it has none, the class of an error that has no errno."""
    if error.errno is None:
        return type(error).__name__
    return errno.errorcode.get(error.errno, f"errno {error.errno}")
