"""What docs/web.md shows is run as it stands there."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.helpers.documents import code_blocks

if TYPE_CHECKING:
    from tests.helpers.observatory_server import ObservatoryServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "web.md").read_text()
HTML = (ROOT / "observatory" / "web" / "page" / "index.html").read_text()


def environment(server: ObservatoryServer) -> dict[str, str]:
    folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "CLAUDE_UNIX_HOOK_WATCHER": server.path,
        "PATH": os.pathsep.join([folder, os.environ["PATH"]]),
        "TERM": "xterm-256color",
    }


def test_every_command_does_what_the_page_says(server: ObservatoryServer) -> None:
    web, watch = code_blocks(PAGE, "sh")
    with subprocess.Popen(
        ["sh", "-c", f"exec {web}"], stdout=subprocess.PIPE, text=True, env=environment(server)
    ) as process:
        assert process.stdout is not None
        assert "works once" in process.stdout.readline()
        assert re.fullmatch(r"  http://127\.0\.0\.1:\d+/\?token=\S+\n", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()
    parent, child = pty.openpty()
    terminal = subprocess.Popen(
        ["sh", "-c", f"exec {watch}"], stdin=child, stdout=child, stderr=child, env=environment(server)
    )
    os.close(child)
    seen = b""
    try:
        while b"All is quiet" not in seen:
            assert select.select([parent], [], [], 30)[0], seen
            seen += os.read(parent, 65536)
    finally:
        terminal.kill()
        terminal.wait()
        os.close(parent)


def test_the_page_knows_every_key_that_is_documented() -> None:
    table = PAGE.partition("| key | does |")[2].partition("\n\n")[0]
    keys = re.findall(r"`(.+?)`", table)
    assert len(keys) >= 9
    for key in keys:
        assert f"<kbd>{key}</kbd>" in HTML, key
