"""The `observatory` command, as tests start it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest import mock

from observatory.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def command(*arguments: str) -> list[str]:
    """The command's words, by this very Python."""
    return [sys.executable, "-m", "observatory", *arguments]


def with_deadline(seconds: float, *arguments: str) -> list[str]:
    """The command with another deadline for peers than `observatory.service.limits` has: what is done when it is over
    does not depend on how long it was.
    """
    text = (
        "import sys; from observatory.service import limits; limits.DEADLINE = float(sys.argv.pop(1)); "
        "from observatory.cli.main import main; sys.exit(main())"
    )
    return [sys.executable, "-c", text, str(seconds), *arguments]


def started(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """The command, started in the tester's own environment; it says each line at once."""
    return subprocess.Popen(command(*arguments), text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}, **options)


def environment(directory: Path, **more: str) -> dict[str, str]:
    """Nothing of the tester's own: no state directory, no socket, no service manager. `directory` is the home."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_START") if name in os.environ}
    return {**kept, "HOME": str(directory), "PYTHONDONTWRITEBYTECODE": "1", **more}


def bytes_here(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The command with that environment, run by this process, which has imported it already, and what it wrote: for
    what it says. How it starts and ends as a process, others test; this process's time zone stays as it is.
    """
    output, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    alone = mock.patch.dict(os.environ, variables, clear=True)
    with alone, contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            status = main(arguments)
        except SystemExit as left:  # argparse's
            status = int(left.code or 0)
    return subprocess.CompletedProcess(arguments, status, output.buffer.getvalue(), errors.buffer.getvalue())


def here(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same, where what it wrote is text."""
    done = bytes_here(variables, *arguments)
    return subprocess.CompletedProcess(arguments, done.returncode, done.stdout.decode(), done.stderr.decode())
