"""A terminal in which `observatory watch` runs."""

from __future__ import annotations

import os
import pty
import threading
import time
from typing import TYPE_CHECKING

from tests.helpers.observatory_command import started

if TYPE_CHECKING:
    import subprocess

    from tests.helpers.observatory_server import ObservatoryServer


class Terminal:
    """`observatory watch` in a terminal that somebody reads."""

    def __init__(self, server: ObservatoryServer) -> None:
        self.parent, child = pty.openpty()
        self.process: subprocess.Popen[str] = started(
            "watch", "--socket", server.path, stdin=child, stdout=child, stderr=child
        )
        os.close(child)
        self._seen = threading.Condition()
        self._tail = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.parent, 65536)
            except OSError:  # closed
                return
            with self._seen:
                self._tail = (self._tail + data)[-200_000:]
                self._seen.notify_all()

    def wait(self, words: bytes, seconds: float = 60) -> float:
        """Until the terminal was told this; how many milliseconds that took."""
        start = time.monotonic()
        with self._seen:
            assert self._seen.wait_for(lambda: words in self._tail, seconds), self._tail[-2000:]
        return 1000 * (time.monotonic() - start)

    def press(self, keys: bytes, words: bytes) -> float:
        """Press a key and wait for what it shows."""
        with self._seen:
            self._tail = b""
        os.write(self.parent, keys)
        return self.wait(words)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.parent)
