"""The loop: a turn accepts, reads, commits once, then answers everyone of that turn."""

from __future__ import annotations

from observatory.service.loop import Service

__all__ = ["Service"]
