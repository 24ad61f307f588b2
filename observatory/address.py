"""Where a server is to be found if nobody says: the socket's path, and the variable that names another one."""

from __future__ import annotations

import os
import sys
from typing import Final

DEFAULT_SOCKET: Final = "/tmp/claude-observatory.sock"
SOCKET_VARIABLE: Final = "CLAUDE_UNIX_HOOK_WATCHER"
SOCKET_DEFAULT: Final = f"${SOCKET_VARIABLE}, else {DEFAULT_SOCKET}"
"""The same for people: what `default_socket` does."""

LONGEST_PATH: Final = 103 if sys.platform == "darwin" or "bsd" in sys.platform else 107
"""Bytes of a Unix socket's path, without the zero byte that ends it (unix(7), unix(4))."""


def default_socket() -> str:
    """The socket's path where nobody has named one: the environment's, else the well-known one."""
    return os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET
