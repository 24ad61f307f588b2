"""What a server leaves that was killed."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from observatory.errors import ObservatoryError
from observatory.listening import serving_lock

if TYPE_CHECKING:
    from pathlib import Path


def leave_dead_socket(path: Path, mode: int = 0o660) -> os.stat_result:
    """A socket that nobody has open, and the lock's file where this kernel's errno does not tell that."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        if serving_lock.NEEDED:
            with suppress(ObservatoryError):  # a living server holds it
                lock = serving_lock.take(str(path))
                assert lock is not None
                os.close(lock.descriptor)
    path.chmod(mode)
    return os.lstat(path)
