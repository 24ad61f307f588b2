"""A process that writes events on standard output in the server's place.

To make events pretty takes longer than the rest of the work together, and a terminal keeps its writers waiting. Here
both is the affair of a process of its own, a copy of the server that was made before there was anything to copy. The
server writes lines into its pipe without waiting, as into any other.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
from typing import TYPE_CHECKING, Final

from observatory.errors import ObservatoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF, errno.ENXIO, errno.ENOTCONN})
"""What a descriptor says whose reader, terminal or device is there no more."""
_BUFFER: Final = 64 * 1024
_AGAIN: Final = 1.0
"""Seconds after which a write is tried again where there was no room."""
_ENDS_A_SERVER: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Printer:
    """The process. It ends when `descriptor`, the writing end of its pipe, is closed and all is written."""

    def __init__(
        self,
        output: int,
        render: Callable[[bytes], bytes],
        reopen: Callable[[], Iterable[str]],
        log: Callable[[str], None],
    ) -> None:
        """Begin. `render` makes of a line what is to be written; `reopen` is called there when it is asked for; `log`
        is told there of it that there is no room.

        Only while this process has no threads. Raises ObservatoryError.
        """
        reading, self.descriptor = os.pipe()
        # The other end is the process's alone: that it is closed says that the process has ended.
        self._process, ours = socket.socketpair()
        self._process.setblocking(False)
        os.set_blocking(self.descriptor, False)
        # It ignores what ends the server, from its first moment on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS_A_SERVER)
        try:
            self._pid = os.fork()
            if self._pid == 0:
                try:
                    _Printing(ours, output, render, reopen, log).print(reading)
                finally:
                    os._exit(0)
        except OSError as error:
            os.close(self.descriptor)
            self._process.close()
            raise ObservatoryError(
                f"cannot start a process that writes events on standard output: {error.strerror}"
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(reading)
            ours.close()

    def reopen(self) -> None:
        """Have it open its output anew."""
        with contextlib.suppress(OSError):  # it has ended, as the next write to its pipe will say
            self._process.send(b"r")

    def close(self, seconds: float) -> bool:
        """Give it so much time to write what it has, and end it; whether that was enough."""
        os.close(self.descriptor)
        ended = select.poll()
        ended.register(self._process, select.POLLIN)
        in_time = bool(ended.poll(seconds * 1000))
        if not in_time:
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._process.close()
        return in_time


class _Printing:
    """What the process does. `told` has a byte for each time that the output is to be opened anew."""

    def __init__(
        self,
        told: socket.socket,
        output: int,
        render: Callable[[bytes], bytes],
        reopen: Callable[[], Iterable[str]],
        log: Callable[[str], None],
    ) -> None:
        self._told = told
        self._output = output
        self._render = render
        self._reopen = reopen
        self._log = log
        self._lacks_room = False

    def print(self, reading: int) -> None:
        gc.freeze()  # what the server had is not for a copy to clear up: that may wait for a thread which it has not
        signal.set_wakeup_fd(-1)
        for number in _ENDS_A_SERVER:
            signal.signal(number, signal.SIG_IGN)  # it ends when the server closes the pipe
        _close_all_but({0, 1, 2, self._output, reading, self._told.fileno()})
        ready = select.poll()
        ready.register(self._told, select.POLLIN)
        ready.register(reading, select.POLLIN)
        begun: list[
            bytes
        ] = []  # of a line whose end has not come; if that never comes, the server was killed meanwhile
        with contextlib.suppress(OSError):
            while True:
                found = {descriptor for descriptor, _ in ready.poll()}
                if self._told.fileno() in found and not self._opens_anew():
                    ready.unregister(self._told)
                if reading in found:
                    data = os.read(reading, _BUFFER)
                    if not data:
                        return
                    *lines, rest = data.split(b"\n")
                    for line in lines:
                        self._write(self._render(b"".join((*begun, line))))
                        begun.clear()
                    begun.append(rest)

    def _write(self, data: bytes) -> None:
        """Write all of it, which may have to wait for room. Raises OSError if nobody is left for whom to write."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._output, view) :]
                self._lacks_room = False
            except OSError as error:
                if error.errno in GONE:
                    raise
                if not self._lacks_room:
                    self._log(f"cannot write on standard output: {error.strerror}; events wait until it can be written")
                self._lacks_room = True
                if select.select([self._told], [], [], _AGAIN)[0] and not self._opens_anew():
                    raise  # the server was killed, so that nobody would end this process where room never comes

    def _opens_anew(self) -> bool:
        """Do what it was told; whether there is somebody who may tell it more."""
        if not self._told.recv(1):
            return False
        for _ in self._reopen():
            pass  # what can't be opened, the server has said
        return True


def _close_all_but(kept: set[int]) -> None:
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number not in kept:
            with contextlib.suppress(OSError):  # the directory's own
                os.close(number)
