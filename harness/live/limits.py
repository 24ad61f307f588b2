"""Limits to looking at what others have made: of bytes, and of time."""

from __future__ import annotations

import errno
import os
import pickle
import select
import signal
import struct
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Result = TypeVar("Result")

MORE_TIMES: Final = 9
"""How often a limit of time begins anew for a process that only waits to be run."""
_PIECE: Final = 1 << 16
_SIZE: Final = struct.Struct("=I")
_ENDED: Final = "a process that looked at something ended too early"


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

    Raises what the work raises, and TimeoutError if it takes longer: then the thread is left alone. It must be nothing
    that may wait for a file system for ever, since a process ends only with all its threads.
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


def in_child(work: Callable[[], Result], seconds: float) -> Result:
    """Do one thing in a process of its own; what it returns or raises must be known to pickle.

    Raises what the work raises, and TimeoutError if it takes longer.
    """
    for result in list(items_of_child(lambda: iter((work(),)), seconds)):
        return result
    raise EOFError(_ENDED)


def items_of_child(work: Callable[[], Iterator[Result]], seconds: float) -> Iterator[Result]:
    """What a process of its own yields, which can wait for a file system that never answers as long as it likes.

    Raises what the work raises, and TimeoutError if it takes longer: then the process is killed and not waited for,
    since one that the server of a FUSE mount keeps waiting dies only when that answers or is gone. On a busy machine a
    process that has not been run yet, and waits for nothing else, has more time.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Since Python 3.12 a fork beside other threads is warned of. This child takes no lock that they may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _serve(work, writing)
    os.close(writing)
    ended = False
    try:
        for item in _pickled(reading, _Patience(child, seconds)):
            if isinstance(item, _Failure):
                raise item.error
            yield cast("Result", item)
        ended = True
    finally:
        os.close(reading)
        if not ended:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0 if ended else os.WNOHANG)


class _Patience:
    """How long a child may take; it has that time again, some times over, as long as it only waits to be run."""

    def __init__(self, child: int, seconds: float) -> None:
        self._child = child
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._more = MORE_TIMES

    def left(self) -> float:
        """The seconds that are left, 0 if none are."""
        now = time.monotonic()
        if now >= self._until and self._more and _is_runnable(self._child):
            self._more -= 1
            self._until = now + self._seconds
        return max(self._until - now, 0.0)


def _is_runnable(pid: int) -> bool:
    """Whether a process runs or could, and waits for no answer: by its state in /proc/PID/stat (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"R"
    except (OSError, IndexError):
        return False


class _Failure:
    """What the work raised."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _serve(work: Callable[[], Iterator[object]], writing: int) -> None:
    """The child: nothing of it is left when this ends, and it holds none of the parent's streams."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            for item in work():
                _write(writing, pickle.dumps(item))
        except BaseException as error:
            _write(writing, pickle.dumps(_Failure(error)))
    finally:
        os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    data = _SIZE.pack(len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def _pickled(descriptor: int, patience: _Patience) -> Iterator[object]:
    """Objects that our own child wrote. Raises TimeoutError, and EOFError where it ended in the midst of one."""
    while head := _read(descriptor, _SIZE.size, patience):
        (size,) = _SIZE.unpack(head)
        yield pickle.loads(_read(descriptor, size, patience))  # noqa: S301  from our own child


def _read(descriptor: int, size: int, patience: _Patience) -> bytes:
    data = b""
    ready = select.poll()
    ready.register(descriptor, select.POLLIN)
    while len(data) < size:
        # What is there is taken, however late we are.
        while not ready.poll((left := patience.left()) * 1000):
            if not left:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        piece = os.read(descriptor, size - len(data))
        if not piece:
            if data:
                raise EOFError(_ENDED)
            return b""
        data += piece
    return data
