"""The exit statuses of the `observatory` command."""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
UNAVAILABLE = 69
"""There is no server at that socket: EX_UNAVAILABLE of sysexits.h."""
NOT_PERMITTED = 77
"""The server, or a file, is there, and this user may not: EX_NOPERM of sysexits.h."""
