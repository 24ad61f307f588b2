"""Break the server on purpose, in a copy: the suite must see each fault, and see it for what it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import ROOT, SERVER_SOURCE, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from harness.place import Engine

REACH = "tests/integration/test_reach.py"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:randomly", "-n", "0", "-x")
WINDOW = "tests/integration/test_window.py"


@dataclass(frozen=True)
class Fault:
    """One deliberate fault: in which module, which text becomes which, which tests, and what these must say."""

    module: str
    right: str
    wrong: str
    tests: str
    chosen: str
    says: str


FAULTS = {
    "the mode is widened by one bit after the start": Fault(
        "listening/socket_file.py",
        "            sock.listen(BACKLOG)\n",
        "            sock.listen(BACKLOG)\n            os.chmod(handle, wanted.mode | 0o002)\n",
        REACH,
        "tmp-0660",
        "mallory connect /tmp/observatory.sock: the oracle says EACCES, the kernel did ok",
    ),
    "the group that was asked for is ignored": Fault(
        "listening/socket_file.py",
        "        os.chown(handle, -1, wanted.group)\n",
        "        pass\n",
        REACH,
        "tmp-0660-team",
        "dave connect /tmp/observatory.sock: the oracle says ok, the kernel did EACCES",
    ),
    "the first peer's credentials are used for all": Fault(
        "service/server.py",
        "        peer = peer_credentials(sock)\n",
        "        peer = Server.__dict__.get('first') or peer_credentials(sock)\n        Server.first = peer\n",
        REACH,
        "tmp-0666",
        "the listener saw Credentials(",
    ),
    "the payload is merged over the trusted fields": Fault(
        "events.py",
        "        del value[key]\n",
        "        pass\n",
        REACH,
        "tmp-0600",
        "the listener saw Credentials(",
    ),
    "it listens before the mode is set": Fault(
        "listening/socket_file.py",
        "        os.fchmod(sock.fileno(), 0)\n",
        "        sock.bind(path)\n        sock.listen(BACKLOG)\n        return\n",
        WINDOW,
        "umask-000",
        "mallory got in while the server with --mode 0600 and umask 000 started",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_suite_fails_when(name: str, engine: Engine, tmp_path: Path) -> None:
    fault = FAULTS[name]
    source = tmp_path / "observatory"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__"))
    module = source / fault.module
    text = module.read_text()
    assert text.count(fault.right) == 1, f"{fault.module} no longer holds the text to break: {fault.right!r}"
    module.write_text(text.replace(fault.right, fault.wrong))
    suite = subprocess.run(
        [*PYTEST, "--engine", engine.name, "-k", fault.chosen, fault.tests],
        cwd=ROOT,
        env={**os.environ, SERVER_SOURCE: str(source)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert suite.returncode == pytest.ExitCode.TESTS_FAILED, suite.stdout + suite.stderr
    assert fault.says in suite.stdout, suite.stdout
