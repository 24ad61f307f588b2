"""Giving a file a name that must be free, in one step: renamex_np(2) of macOS, link(2) elsewhere."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

RENAME_EXCL: Final = 0x0000_0004
"""sys/stdio.h."""


def rename_exclusively(source: str, target: str) -> None:
    """Rename, unless something has the name already: then FileExistsError. Raises OSError."""
    if sys.platform == "darwin":
        library = ctypes.CDLL(None, use_errno=True)
        if library.renamex_np(os.fsencode(source), os.fsencode(target), ctypes.c_uint(RENAME_EXCL)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), source, None, target)
    else:
        os.link(source, target)
        os.unlink(source)
