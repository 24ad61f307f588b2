"""The page's port, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_TOO_SOON = """
import signal, sys
from observatory.web.port import listen, ready
with listen(0) as sock:
    serve = ready(None, sock, lambda: print("streams end"))
    signal.raise_signal(int(sys.argv[1]))
    serve()
print("ended in order")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_before_it_serves_is_not_lost(number: signal.Signals) -> None:
    pytest.importorskip("uvicorn")
    done = subprocess.run(
        [sys.executable, "-c", _TOO_SOON, str(int(number))], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("streams end\n")
    assert done.stdout.endswith("ended in order\n")
