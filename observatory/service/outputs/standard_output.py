"""Events on standard output, or another open descriptor, which may be anything.

Its reader cannot hold up the server. What is not taken waits here, up to a limit. Beyond it, standard output misses
events, which is said in the log, and they are in the database. Where a write might wait, or where events are to be made
pretty first, a process of its own does it: see `Printer`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from typing import TYPE_CHECKING, Final

from observatory.service.connection import SEND, SENDS_BY_FLAG
from observatory.service.outputs.printer import GONE, Printer
from observatory.service.poller import WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from observatory.events import Event
    from observatory.service.loop import Loop

OUTPUT_BUFFER: Final = 8 * 1024 * 1024
"""Bytes that wait for the reader of standard output at most."""


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
        log: Callable[[str], None],
        *,
        render: Callable[[bytes], bytes] | None = None,
        reopen: Callable[[], Iterable[str]] = tuple,
        limit: int = OUTPUT_BUFFER,
    ) -> None:
        """`render` makes of an event's line what is written of it; without, it is written as it is. `reopen` opens anew
        what the descriptor leads to. Only while this process has no threads. Raises ObservatoryError.
        """
        self._loop = loop
        self._log = log
        self._limit = limit
        self._waiting: list[bytes] = []
        self._size = 0
        self._missed: tuple[int, int] | None = None
        self._torn = False
        self._closing = contextlib.ExitStack()
        self._printer: Printer | None = None
        write = _way_to_write(descriptor, self._closing) if render is None else None
        if write is None:
            self._printer = Printer(descriptor, render or _as_it_is, reopen, log)
            descriptor = own = self._printer.descriptor
            write = lambda data: os.write(own, data)  # noqa: E731
        self._write = write
        self._descriptor: int | None = descriptor

    def publish(self, events: list[Event]) -> None:
        """Write events, or remember them."""
        if self._descriptor is None:
            return
        if self._waiting and (self._missed is not None or self._size >= self._limit):
            self._miss(events)  # until all that waits is taken: what is missed has no gaps
            return
        data = json_lines(events)
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

    def reopen(self) -> None:
        """What the descriptor leads to was opened anew in this process; see to it where else it is written to."""
        if self._printer is not None:
            self._printer.reopen()

    def finish(self, seconds: float) -> None:
        """Write what waits, if the reader takes it in that time, and no more. Does nothing if that was done."""
        until = time.monotonic() + seconds
        while self._waiting and (left := until - time.monotonic()) > 0:
            self._loop.turn(left)
        gone, taken = self._descriptor is None, not self._waiting
        if self._waiting and self._descriptor is not None:
            self._loop.poller.forget(self._descriptor)
        self._descriptor, self._waiting = None, []
        self._closing.close()
        if self._printer is not None:
            taken = self._printer.close(max(0.0, until - time.monotonic())) and taken
            self._printer = None
        if not (taken or gone):
            self._log("the reader of standard output did not take everything: the rest is in the database")

    def _try(self, data: bytes) -> bytes:
        """Write what can be written without waiting; what's left. If the reader has gone, nothing is left.

        Raises OSError if it can't be written just now, and waiting doesn't help: a full disk.
        """
        assert self._descriptor is not None
        view = memoryview(data)
        try:
            while view:
                view = view[self._write(view) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in GONE:
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


def _as_it_is(line: bytes) -> bytes:
    return line + b"\n"


def _way_to_write(descriptor: int, closing: contextlib.ExitStack) -> Callable[[memoryview], int] | None:
    """How to write to a descriptor without waiting for its reader; `None`: there is no way."""
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        if not SENDS_BY_FLAG:
            return None
        sock = closing.enter_context(socket.socket(fileno=os.dup(descriptor)))
        return lambda data: sock.send(data, SEND)
    if stat.S_ISFIFO(kind) or os.isatty(descriptor):
        # Opened once more, it's a file description of our own, which alone doesn't wait: on Linux, and if we may. To
        # ask first whether there is room does not do: others may write there too, and a terminal has less than it says.
        try:
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return None
        closing.callback(os.close, own)
        return lambda data: os.write(own, data)
    return lambda data: os.write(descriptor, data)
