"""Waiting for descriptors: epoll(7) where there is one, else whatever `selectors` finds.

Epoll by itself because `selectors` costs more than the waiting: 2 us for each connection that is watched, 1 us a
turn.
"""

from __future__ import annotations

import os
import select
import selectors
import sys
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

READ: Final = 1
WRITE: Final = 4
"""The bits by which readiness is asked for (EPOLLIN and EPOLLOUT). They tell only that something can be done: whoever
is called finds out by doing it, as an error or a hang-up is told too."""

SPIN_SECONDS: Final = 100e-6
"""Seconds of looking again and again before this process goes to sleep. Being woken takes some 30 us, and a peer that
says one thing after the other pays for it each time."""
SLEEPS_BEFORE_SPIN: Final = 63
"""So often at most it goes to sleep at once, after nothing came in such a time: a quiet server does nothing."""


class Poller(Protocol):
    """Descriptors, what is waited for on each, and whom to call."""

    def watch(self, descriptor: int, bits: int, ready: Callable[[int], object]) -> None:
        """Begin to wait for `bits` on a descriptor."""

    def change(self, descriptor: int, bits: int) -> None:
        """Wait for other bits on a watched descriptor."""

    def forget(self, descriptor: int) -> None:
        """Wait no more. To be called before the descriptor is closed."""

    def wait(self, seconds: float | None) -> None:
        """Wait until something is ready, `seconds` at most, and call everyone who is concerned."""

    def close(self) -> None:
        """Forget everything."""


if sys.platform == "linux":

    class EpollPoller:
        """Linux's."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._ready: dict[int, Callable[[int], object]] = {}
            self._sleeps = self._backoff = 0

        def watch(self, descriptor: int, bits: int, ready: Callable[[int], object]) -> None:
            """See `Poller`."""
            self._epoll.register(descriptor, bits)
            self._ready[descriptor] = ready

        def change(self, descriptor: int, bits: int) -> None:
            """See `Poller`."""
            self._epoll.modify(descriptor, bits)

        def forget(self, descriptor: int) -> None:
            """See `Poller`."""
            del self._ready[descriptor]
            self._epoll.unregister(descriptor)

        def wait(self, seconds: float | None) -> None:
            """See `Poller`."""
            for descriptor, bits in self._poll(seconds):
                # One that was called before may have forgotten this descriptor, and even have opened another one by
                # the same number: that one finds nothing to read and goes back to waiting.
                ready = self._ready.get(descriptor)
                if ready is not None:
                    ready(bits)

        def _poll(self, seconds: float | None) -> list[tuple[int, int]]:
            if seconds is not None and seconds < SPIN_SECONDS:
                return self._epoll.poll(seconds)
            if self._sleeps:
                self._sleeps -= 1
                return self._epoll.poll(seconds)
            until = time.perf_counter() + SPIN_SECONDS
            while not (found := self._epoll.poll(0)) and time.perf_counter() < until:
                os.sched_yield()  # to the peer, if it waits for this very processor
            # Also if something came, but late: then the processor was somebody else's, and to have slept is to be next.
            late = time.perf_counter() >= until
            self._sleeps = self._backoff = min(SLEEPS_BEFORE_SPIN, 2 * self._backoff + 1) if late else 0
            return found or self._epoll.poll(seconds)

        def close(self) -> None:
            """See `Poller`."""
            self._epoll.close()


class SelectorPoller:
    """Everyone else's: kqueue(2) on macOS and the BSDs."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, descriptor: int, bits: int, ready: Callable[[int], object]) -> None:
        """See `Poller`."""
        self._selector.register(descriptor, _events(bits), ready)

    def change(self, descriptor: int, bits: int) -> None:
        """See `Poller`."""
        self._selector.modify(descriptor, _events(bits), self._selector.get_key(descriptor).data)

    def forget(self, descriptor: int) -> None:
        """See `Poller`."""
        self._selector.unregister(descriptor)

    def wait(self, seconds: float | None) -> None:
        """See `Poller`."""
        watched = self._selector.get_map()
        for key, events in self._selector.select(seconds):
            current = watched.get(key.fd)  # as with epoll: one that was called before may have forgotten it
            if current is not None:
                current.data(
                    (READ if events & selectors.EVENT_READ else 0) | (WRITE if events & selectors.EVENT_WRITE else 0)
                )

    def close(self) -> None:
        """See `Poller`."""
        self._selector.close()


def _events(bits: int) -> int:
    return (selectors.EVENT_READ if bits & READ else 0) | (selectors.EVENT_WRITE if bits & WRITE else 0)


def poller() -> Poller:
    """The best one of this platform."""
    if sys.platform == "linux":
        return EpollPoller()
    else:  # noqa: RET505 - so that both checkers see that this is every other platform's
        return SelectorPoller()
