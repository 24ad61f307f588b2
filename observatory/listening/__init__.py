"""A socket specification in, a listening Unix socket out, which was never open wider than asked."""

from __future__ import annotations

from observatory.listening.socket_file import (
    DEFAULT_MODE,
    Listener,
    Specification,
    group_number,
    listen,
    parse_mode,
)

__all__ = ["DEFAULT_MODE", "Listener", "Specification", "group_number", "listen", "parse_mode"]
