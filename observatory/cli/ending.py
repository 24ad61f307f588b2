"""How a command ends: never with a traceback, and with a status that tells why.

Standard output may be closed, full, a pipe that nobody reads any more, or of an encoding that lacks a character. Each
of these is met where it is written to, as an exception of its own, so that nothing takes it for another file's error.
Other tools end in the same ways. This module is imported first and imports nothing that takes time: from then on an
interrupt ends the command in silence, whatever it is importing.
"""

from __future__ import annotations

import errno
import io
import os
import sys

TYPE_CHECKING = False
"""As in `typing`, which takes a while to import."""

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OUTPUT_LOST = 74
"""Standard output can't be written: EX_IOERR of sysexits.h."""
INTERRUPTED = 130
"""By SIGINT, as a shell tells it."""
NOBODY_READS = 141
"""By SIGPIPE, as a shell tells it."""
DELETED_BY_THEN = 0.01
"""Seconds until an interrupt that Python has dropped is sent once more; if it is dropped again, then again."""


class OutputLostError(Exception):
    """Standard output can't be written. No OSError, which others would take for their own."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror)
        self.quiet = cause.errno == errno.EPIPE


class _Stream(io.FileIO):
    """Where text for a standard stream goes. `silent`: what can't be written is lost, and nobody hears of it."""

    def __init__(self, descriptor: int, *, closed: bool, silent: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._was_closed = closed
        self._untold = b""
        self.silent = silent

    def write(self, data: Any, /) -> int:
        """Write, and wait for a reader where the descriptor does not wait by itself.

        An interrupt that comes while something is written is raised before its length can be told. Whoever then writes
        the same once more, as a buffer does that is flushed at the end, is told of it then.
        """
        written = len(self._untold)
        again = written > 0 and memoryview(data)[:written] == self._untold
        self._untold = b""
        if again:
            return written
        done: list[int | None] = []
        try:
            if self._was_closed:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            while True:
                done.extend(map(super().write, (data,)))  # in one step of Python's, so that no length is lost
                told = done[-1]
                if told is not None:
                    return told
                import select

                select.select([], [self], [])
        except OSError as error:
            if not self.silent:
                raise OutputLostError(error) from None
            return memoryview(data).nbytes
        except BaseException:
            self._untold = bytes(memoryview(data)[: done[-1] or 0]) if done else b""
            raise


def ended(name: str, work: Callable[[], int]) -> int:
    """The exit status of a command named `name` that does this work; SystemExit goes through."""
    before = sys.stdout, sys.stderr
    unraisable = sys.unraisablehook
    output: _Stream | None = None
    try:
        sys.unraisablehook = lambda dropped: _keep_interrupt(dropped, unraisable)
        output = _take_streams()
        try:
            return work()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OutputLostError as error:
        if error.quiet:
            return NOBODY_READS
        print(f"{name}: standard output can't be written: {error}", file=sys.stderr)
        return OUTPUT_LOST
    finally:
        if output is not None:
            output.silent = True  # what is still buffered must not fail once more when Python ends
        sys.stdout, sys.stderr = before
        sys.unraisablehook = unraisable


def _keep_interrupt(dropped: sys.UnraisableHookArgs, otherwise: Callable[[sys.UnraisableHookArgs], object]) -> None:
    """Have an interrupt that Python drops come once more. It was raised in the main thread, and nowhere else is this
    called for one.
    """
    if sys.platform == "win32" or not issubclass(dropped.exc_type, KeyboardInterrupt):
        otherwise(dropped)
        return
    import _thread
    import signal
    import time

    interrupted = _thread.get_ident()

    def interrupt() -> None:
        time.sleep(DELETED_BY_THEN)
        signal.pthread_kill(interrupted, signal.SIGINT)

    # Not threading.Thread: whatever was interrupted may hold the locks that this takes.
    _thread.start_new_thread(interrupt, ())


def _take_streams() -> _Stream | None:
    """Put streams of this module in the place of the process's own: standard output's, unless it is a test's."""
    closed = _fill()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, for good
    if sys.stderr is None or sys.stderr is sys.__stderr__:
        _, sys.stderr = _opened(2, closed, sys.stderr, silent=True)
    if sys.stdout is not None and sys.stdout is not sys.__stdout__:
        return None
    output, sys.stdout = _opened(1, closed, sys.stdout, silent=False)
    return output


def _opened(descriptor: int, closed: set[int], before: Any, *, silent: bool) -> tuple[_Stream, io.TextIOWrapper]:
    stream = _Stream(descriptor, closed=descriptor in closed, silent=silent)
    encoding = "utf-8" if before is None else before.encoding
    text = io.TextIOWrapper(
        io.BufferedWriter(stream),
        encoding=encoding,
        errors="backslashreplace",  # a character that the encoding lacks
        line_buffering=silent or stream.isatty() or (before is not None and before.write_through),
    )
    return stream, text


def _fill() -> set[int]:
    """Standard descriptors that are closed: the next file to be opened would get their number."""
    closed = set()
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            closed.add(descriptor)
    return closed
