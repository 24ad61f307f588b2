"""Without an extra, its commands name it in a sentence; everything else works."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

CODE = """
import sys
for name in {absent}:
    sys.modules[name] = None
from observatory.cli.main import main
sys.exit(main({arguments}))
"""


def run(absent: list[str], arguments: list[str]) -> tuple[int, str]:
    """The exit status and what a terminal shows."""
    parent, child = pty.openpty()
    code = CODE.format(absent=absent, arguments=arguments)
    with subprocess.Popen([sys.executable, "-c", code], stdin=child, stdout=child, stderr=child) as process:
        os.close(child)
        said = b""
        while True:
            try:
                data = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            said += data
    os.close(parent)
    return process.returncode, said.decode()


@pytest.mark.parametrize(
    ("absent", "arguments", "extra"),
    [
        (["starlette"], ["web"], "web"),
        (["uvicorn"], ["web"], "web"),
        (["textual"], ["watch"], "watch"),
        (["nats"], ["forward", "--to", "nats://127.0.0.1:1"], "fleet"),
        (["nats"], ["events", "--from", "nats://127.0.0.1:1"], "fleet"),
        (["opentelemetry"], ["forward", "--to", "otlp+http://127.0.0.1:1"], "otlp"),
    ],
)
def test_a_missing_extra_is_named_and_how_to_get_it(absent: list[str], arguments: list[str], extra: str) -> None:
    status, said = run(absent, arguments)
    assert status == 1
    assert said.rstrip() == (
        f"observatory {arguments[0]}: this needs {absent[0]}, which is not installed: "
        f"pip install 'claude-observatory[{extra}]'"
    )


def test_the_other_commands_need_none_of_them() -> None:
    absent = ["starlette", "uvicorn", "textual", "nats", "opentelemetry"]
    status, said = run(absent, ["whoami", "--socket", "/nowhere"])
    assert status == 69
    assert "there is no /nowhere" in said
