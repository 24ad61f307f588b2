"""What drives a service: descriptors that get ready, times that come, signals, and an end. One thread."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import signal
import socket
import time
from typing import TYPE_CHECKING

from observatory.service.poller import READ, poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType


class Loop:
    """Calls whoever is concerned. Nothing that it calls may wait for anything."""

    def __init__(self) -> None:
        self.poller = poller()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` in each turn in which `descriptor` can be read (a pidfd: its process has ended)."""
        self.poller.watch(descriptor, READ, lambda _bits: ready())

    def unwatch(self, descriptor: int) -> None:
        """Forget a watched descriptor; before it's closed."""
        self.poller.forget(descriptor)

    def call_later(self, seconds: float, due: Callable[[], None]) -> None:
        """Call `due` once, in that time or soon after."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), due))

    def turn(self, seconds: float | None) -> None:
        """Wait until something is ready or due, `seconds` at most, and call everyone who is concerned."""
        timers = self._timers
        if timers:
            left = max(0.0, timers[0][0] - time.monotonic())
            seconds = left if seconds is None else min(seconds, left)
        self.poller.wait(seconds)
        while timers and timers[0][0] <= time.monotonic():
            heapq.heappop(timers)[2]()

    @contextlib.contextmanager
    def signals(self, numbers: Iterable[signal.Signals], caught: Callable[[signal.Signals], None]) -> Iterator[None]:
        """Have signals end the waiting and call `caught`, in the loop. Main thread only.

        Afterwards they are ignored: all that is left is to exit, with the status of what was done.
        """
        numbers = list(numbers)
        wake, woken = socket.socketpair()

        def handler(number: int, _frame: FrameType | None) -> None:
            caught(signal.Signals(number))

        def empty() -> None:
            with contextlib.suppress(BlockingIOError):
                while woken.recv(4096):
                    pass

        with wake, woken:
            wake.setblocking(False)
            woken.setblocking(False)
            for number in numbers:
                signal.signal(number, handler)
            signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
            self.watch(woken.fileno(), empty)
            try:
                yield
            finally:
                self.unwatch(woken.fileno())
                signal.set_wakeup_fd(-1)
                for number in numbers:
                    signal.signal(number, signal.SIG_IGN)

    def close(self) -> None:
        """Forget everything."""
        self._timers.clear()
        self.poller.close()
