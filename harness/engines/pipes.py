"""A transport to an agent that is this process's own descendant."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pipes:
    """A command's standard streams as a `harness.engines.agent_connection.Transport`.

    The command's session is its own, so that an interrupt at the terminal reaches the harness alone. `kept` are
    descriptors that it inherits.
    """

    def __init__(self, command: Sequence[str], kept: Sequence[int] = ()) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,
            pass_fds=kept,
        )
        self._final_words = ""

    @property
    def pid(self) -> int:
        """The command's pid."""
        return self._process.pid

    @property
    def output(self) -> int:
        """The descriptor from which the command's output is read."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self) -> bytes:
        """What has come; empty at the end."""
        return os.read(self.output, 1 << 20)

    def write(self, data: bytes) -> None:
        """Pass everything on."""
        assert self._process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._process.stdin.write(view) or 0 :]

    def close(self) -> None:
        """End the command's input, and if that doesn't end it, end it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._final_words = self.diagnosis()
        self._said.close()
        self._process.stdout.close()

    def diagnosis(self) -> str:
        """What the command wrote on its standard error."""
        if self._said.closed:
            return self._final_words
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        size = os.fstat(self._said.fileno()).st_size
        return os.pread(self._said.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
