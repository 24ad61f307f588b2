"""Interrupts (SIGINT, and SIGTERM where it is taken as one): what they are not to break off."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class TerminatedError(KeyboardInterrupt):
    """SIGTERM came, which ends a command as an interrupt does."""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise TerminatedError where SIGTERM comes meanwhile, unless it is ignored. In the main thread."""

    def terminate(*_: object) -> None:
        raise TerminatedError

    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def put_off() -> Iterator[None]:
    """Do this to its end: an interrupt that comes meanwhile comes afterwards. In the main thread."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for first in came[:1]:
        signal.raise_signal(first)
