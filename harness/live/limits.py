"""Limits to looking at what others have made: of bytes, and of time."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")

_PIECE: Final = 1 << 16


def read_up_to(descriptor: int, limit: int) -> bytes:
    """All that is to be read from a descriptor. Raises OSError, with EFBIG if that is more than `limit` bytes."""
    pieces: list[bytes] = []
    left = limit
    while piece := os.read(descriptor, min(_PIECE, left + 1)):
        left -= len(piece)
        if left < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        pieces.append(piece)
    return b"".join(pieces)


def in_thread(work: Callable[[], Result], seconds: float) -> Result:
    """Do one thing in a thread of its own, which ends with it: what setns(2) does there stays there.

    Raises what the work raises, and TimeoutError if it takes longer: then the thread is left alone, and ends at the
    latest with this process, as one that waits for a file system that never answers.
    """
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # raised below, in the thread that asked
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not results:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return results[0]
