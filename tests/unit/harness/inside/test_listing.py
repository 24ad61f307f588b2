"""What is at a path is one thing at a time, even where another process puts one thing in another's place."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from harness.inside.probes.listing import look

if TYPE_CHECKING:
    from pathlib import Path

TURNS = """
import os, sys
said = False
while True:
    for name in sys.argv[2:]:
        os.link(name, "next", follow_symlinks=False)
        os.rename("next", sys.argv[1])
        said = said or print("begun", flush=True) is None
"""


def test_what_takes_another_things_place_while_it_is_looked_at_is_looked_at_instead(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "symlink").symlink_to("elsewhere")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # a socket's path is short
        try:
            listener.bind("socket")
        finally:
            os.fchdir(here)
            os.close(here)
    command = [sys.executable, "-c", TURNS, "name", "file", "symlink", "socket"]
    seen: set[tuple[str, object]] = set()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as turns:
        assert turns.stdout is not None
        assert turns.stdout.readline() == b"begun\n"
        try:
            for number in itertools.count():
                there = look(str(tmp_path / "name"))
                assert there is not None
                seen.add((there["kind"], there["content"]))
                if number > 5_000 and len(seen) == 3:
                    break
        finally:
            turns.kill()
    assert seen == {("file", "content"), ("symlink", "elsewhere"), ("socket", None)}
