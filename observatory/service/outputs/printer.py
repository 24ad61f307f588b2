"""A process that writes events on standard output in the server's place.

To make events pretty takes longer than the rest of the work together, and a terminal keeps its writers waiting. Here
both is the affair of a process of its own, a copy of the server that was made before there was anything to copy. The
server writes lines into its pipe without waiting, as into any other.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_BUFFER: Final = 64 * 1024


class Printer:
    """The process. It ends when `descriptor`, the writing end of its pipe, is closed and all is written."""

    def __init__(self, output: int, render: Callable[[bytes], bytes], reopen: Callable[[], Iterable[str]]) -> None:
        """Begin. `render` makes of a line what is to be written; `reopen` is called at SIGHUP.

        Only while this process has no threads. Raises ObservatoryError.
        """
        reading, self.descriptor = os.pipe()
        # Its other end is the process's alone: that it is closed says that the process has ended.
        self._life, living = os.pipe()
        os.set_blocking(self.descriptor, False)
        try:
            self._pid = os.fork()
        except OSError as error:
            for each in (reading, self.descriptor, self._life, living):
                os.close(each)
            raise ObservatoryError(
                f"cannot start a process that writes events on standard output: {error.strerror}"
            ) from None
        if self._pid == 0:
            try:
                _print(reading, living, output, render, reopen)
            finally:
                os._exit(0)
        os.close(reading)
        os.close(living)

    def reopen(self) -> None:
        """Have it open its output anew."""
        os.kill(self._pid, signal.SIGHUP)

    def close(self, seconds: float) -> bool:
        """Give it so much time to write what it has, and end it; whether that was enough."""
        os.close(self.descriptor)
        life = select.poll()
        life.register(self._life)
        in_time = bool(life.poll(seconds * 1000))
        if not in_time:
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._life)
        return in_time


def _print(
    reading: int, living: int, output: int, render: Callable[[bytes], bytes], reopen: Callable[[], Iterable[str]]
) -> None:
    """What the process does."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when the server closes the pipe
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda *_: list(reopen()))  # what can't be opened, the server has said
    kept = {0, 1, 2, output, reading, living}
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number not in kept:
            with contextlib.suppress(OSError):  # the directory's own
                os.close(number)
    with contextlib.suppress(OSError), open(reading, "rb", _BUFFER) as lines:
        for line in lines:
            if line.endswith(b"\n"):  # else the server was killed while it wrote
                view = memoryview(render(line[:-1]))
                while view:
                    view = view[os.write(output, view) :]
