"""The log: lines that a thread of their own writes, so that whoever says one never waits for its reader.

A write may wait for anything: for a terminal that Ctrl-S has stopped, for a pipe that nobody reads. What can't be
written yet waits here, up to a limit. Lines beyond it are counted, and their number is said as soon as it can be.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from observatory.text import printable

LOG_BUFFER: Final = 64 * 1024
"""Bytes of lines that wait to be written, at most."""


class Log:
    """Writes lines to a descriptor, which may be anything."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._size = 0
        self._left_out = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def __call__(self, message: str) -> None:
        """Say a line, or count it if too many wait already."""
        line = printable(message).encode() + b"\n"
        with self._changed:
            if self._left_out or self._size + len(line) > LOG_BUFFER:
                self._left_out += 1
                return
            self._waiting.append(line)
            self._size += len(line)
            if self._thread is None:  # not before: a process that has threads can't be copied safely (fork(2))
                self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Say no more, and wait until all is written, so many seconds at most."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(seconds)

    def _write_all(self) -> None:
        while data := self._next():
            self._write(data)
            with self._changed:
                self._size -= len(data)
                left_out = 0 if self._waiting else self._left_out
                self._left_out -= left_out
            if left_out:
                lines = "1 line was" if left_out == 1 else f"{left_out} lines were"
                self._write(f"{lines} left out of the log here, since nobody read it\n".encode())

    def _next(self) -> bytes:
        """What is to be written next; nothing: it is the end."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            data = b"".join(self._waiting)
            self._waiting.clear()
            return data

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:  # nobody reads the log any more, which ends nothing
            pass
