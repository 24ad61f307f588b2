"""Installed from an index, which is a server of our own on loopback, both commands run."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

import observatory
from harness.engines.namespace import NamespaceEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(built: Path) -> Iterator[str]:
    """The index's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "pypiserver", "run", "--interface", "127.0.0.1", "--port", port]
    address = f"http://127.0.0.1:{port}/simple/"
    with subprocess.Popen([*command, "--disable-fallback", str(built)], stderr=subprocess.DEVNULL) as server:
        try:
            while server.poll() is None:
                with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(address):
                    break
            yield address
        finally:
            server.terminate()


def test_the_two_main_commands_run_as_they_are_installed_from_an_index(index: str, tmp_path: Path) -> None:
    made = tmp_path / "environment"
    variables = {"PATH": f"{made}/bin:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    here = {**variables, "CLAUDE_UNIX_HOOK_WATCHER": str(tmp_path / "s")}

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=here, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    uv = find_uv_bin()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, made], check=True)
    install = [uv, "pip", "install", "--python", str(made / "bin" / "python"), "--index", index, "--no-cache"]
    name = f"claude-observatory[harness]=={observatory.__version__}"
    said = subprocess.run([*install, name], check=True, capture_output=True, text=True).stderr
    assert f"claude-observatory=={observatory.__version__}" in said
    serve = ["observatory", "serve", "--database", str(tmp_path / "db")]
    with subprocess.Popen(serve, cwd=tmp_path, env=here, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        while "listening on" not in server.stderr.readline():
            assert server.poll() is None
        assert f"uid={os.geteuid()}" in run("observatory", "whoami").replace(" ", "=").replace(":", "=")
        server.send_signal(signal.SIGTERM)
        server.stderr.read()
    assert "home-0750" in run("harness", "scenarios")
    if (why := NamespaceEngine().available()) is not None:
        pytest.skip(why)
    assert "all agree" in run("harness", "run", "home-0750", "--engine", "namespace")
