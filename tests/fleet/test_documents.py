"""What docs/fleet.md shows is run as it stands there, in a network of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fleet.cluster import network
from tests.helpers.documents import code_blocks

if TYPE_CHECKING:
    from tests.helpers.observatory_server import ObservatoryServer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fleet.md").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a network namespace, where the ports are free")
def test_every_command_does_what_the_page_says(server: ObservatoryServer, folder: Path, nats_server: str) -> None:
    server.hooks().say("Stop", session_id="documented")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "CLAUDE_UNIX_HOOK_WATCHER": server.path,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(Path(nats_server).parent), os.environ["PATH"]]),
    }
    ready = "until (: </dev/tcp/127.0.0.1/4222) 2>/dev/null; do sleep 0.1; done"
    start, make, send, collect = code_blocks(PAGE, "sh")
    script = "\n".join(["set -eu", start, "trap 'kill $!' EXIT", ready, make, send])
    with network() as made:
        inside = made.inside(made.hub, ["bash", "-c", script])
        done = subprocess.run(
            inside, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "forwarded 1 events; lag 0" in done.stderr
        assert re.search(r"1 +20\S+ \S+ +0@web1 +Stop +document", done.stdout), done.stdout
        command = made.inside(made.hub, [sys.executable, "-m", "tests.fleet.collector", "4318"])
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
        ) as collector:
            assert collector.stdout is not None
            assert collector.stdout.readline() == "ready\n"
            inside = made.inside(made.hub, ["sh", "-ec", collect])
            subprocess.run(inside, cwd=folder, env=environment, check=True, timeout=120)
            assert collector.stdout.readline() == "1\n"
            collector.terminate()
