"""Events on standard output, or another open descriptor, which may be anything.

Its reader cannot hold up the server. What is not taken waits here, up to a limit. Beyond it, standard output misses
events, which is said in the log, and they are in the database.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import time
from typing import TYPE_CHECKING, Final

from observatory.service.connection import SEND
from observatory.service.poller import WRITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.events import Event
    from observatory.service.loop import Loop

OUTPUT_BUFFER: Final = 8 * 1024 * 1024
"""Bytes that wait for the reader of standard output at most."""
_GONE: Final = {errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF, errno.ENXIO, errno.ENOTCONN}
"""What a descriptor says whose reader, terminal or device is there no more."""


def json_lines(events: list[Event]) -> bytes:
    """One JSON object a line."""
    return b"".join([event.line + b"\n" for event in events])


class DescriptorOutput:
    """Events written to an open descriptor, which may be anything, by a program that never waits for its reader.

    The descriptor's own flags are left alone: standard output is shared with whoever started this program.
    """

    def __init__(
        self,
        loop: Loop,
        descriptor: int,
        format_events: Callable[[list[Event]], bytes],
        log: Callable[[str], None],
        limit: int = OUTPUT_BUFFER,
    ) -> None:
        self._loop = loop
        self._format = format_events
        self._log = log
        self._limit = limit
        self._waiting: list[bytes] = []
        self._size = 0
        self._missed: tuple[int, int] | None = None
        self._torn = False
        self._descriptor: int | None = descriptor
        self._closing = contextlib.ExitStack()
        self._write, self._may_wait = _way_to_write(descriptor, self._closing)

    def publish(self, events: list[Event]) -> None:
        """Write events, or remember them."""
        if self._descriptor is None:
            return
        if self._size >= self._limit:
            self._miss(events)
            return
        data = self._format(events)
        if self._waiting:
            self._waiting.append(data)
            self._size += len(data)
            return
        try:
            rest = self._try(b"\n" + data if self._torn else data)
        except OSError as error:  # a file, and no room for more of it
            if self._missed is None:
                self._log(f"cannot write on standard output: {error.strerror}; events go to the database only")
            self._miss(events)
            return
        self._torn = False
        if rest and self._descriptor is not None:
            self._waiting = [rest]
            self._size = len(rest)
            self._loop.poller.watch(self._descriptor, WRITE, self._on_writable)
        elif not rest:
            self._caught_up()

    def _miss(self, events: list[Event]) -> None:
        first = events[0].id if self._missed is None else self._missed[0]
        self._missed = (first, events[-1].id)

    def _caught_up(self) -> None:
        if self._missed is not None:
            first, last = self._missed
            self._missed = None
            self._log(f"standard output missed the events {first} to {last} of the database")

    def finish(self, seconds: float) -> None:
        """Write what waits, if the reader takes it in that time."""
        until = time.monotonic() + seconds
        while self._waiting and (left := until - time.monotonic()) > 0:
            self._loop.turn(left)
        if self._waiting and self._descriptor is not None:
            self._loop.poller.forget(self._descriptor)
            self._log("the reader of standard output did not take everything: the rest is in the database")
        self._descriptor = None
        self._closing.close()

    def _try(self, data: bytes) -> bytes:
        """Write what can be written without waiting; what's left. If the reader has gone, nothing is left.

        Raises OSError if it can't be written just now, and waiting doesn't help: a full disk.
        """
        assert self._descriptor is not None
        view = memoryview(data)
        try:
            while view:
                if self._may_wait and not _has_room(self._descriptor):
                    break
                view = view[self._write(view) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in _GONE:
                self._torn = self._torn or len(view) < len(data)
                raise
            self._log(f"standard output is closed ({error.strerror}): events go to the database only")
            if self._waiting:
                self._loop.poller.forget(self._descriptor)
            self._descriptor, self._waiting, self._size = None, [], 0
            return b""
        return bytes(view)

    def _on_writable(self, _bits: int) -> None:
        rest = self._try(b"".join(self._waiting))
        if self._descriptor is None:
            return
        self._waiting, self._size = [rest], len(rest)
        if rest:
            return
        self._waiting = []
        self._loop.poller.forget(self._descriptor)
        self._caught_up()


def leads_nowhere(descriptor: int) -> bool:
    """Whether what is written there is thrown away, as by a service whose events are wanted in the database alone."""
    found = os.fstat(descriptor)
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev


def _way_to_write(descriptor: int, closing: contextlib.ExitStack) -> tuple[Callable[[memoryview], int], bool]:
    """How to write to a descriptor, and whether that may wait, so that it has to be asked first."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        sock = closing.enter_context(socket.socket(fileno=os.dup(descriptor)))
        return (lambda data: sock.send(data, SEND)), False
    if stat.S_ISFIFO(kind) or os.isatty(descriptor):
        # Opened once more, it's a file description of our own, which alone doesn't wait: on Linux, and if we may.
        with contextlib.suppress(OSError):
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            closing.callback(os.close, own)
            return (lambda data: os.write(own, data)), False
        # A pipe that has room at all has it for PIPE_BUF bytes (pipe(7)).
        return (lambda data: os.write(descriptor, data[: select.PIPE_BUF])), True
    return (lambda data: os.write(descriptor, data)), False


def _has_room(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
