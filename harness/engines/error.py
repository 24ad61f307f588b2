"""What a person must know about an engine or a place."""

from __future__ import annotations


class PlaceError(Exception):
    """Something that a person must know about an engine or a place: one sentence, what, where and what to do."""
