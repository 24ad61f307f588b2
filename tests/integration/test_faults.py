"""Break the server on purpose, in a copy: the suite must see each fault, and see it for what it is."""

from __future__ import annotations

import functools
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration import test_reach, test_window
from tests.integration.cast import LAYOUTS
from tests.integration.conftest import SOURCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.callers import Callers
    from harness.place import Place
    from tests.integration.conftest import Server

TMP = LAYOUTS[0]


@dataclass(frozen=True)
class Fault:
    """One deliberate fault: in which module, which text becomes which, the case that shows it, and what this says.

    The case is a mode and a group of the socket, or the umask of a start.
    """

    module: str
    right: str
    wrong: str
    says: str
    mode: int = 0o660
    group: str | None = None
    umask: int | None = None


FAULTS = {
    "the mode is widened by one bit after the start": Fault(
        "listening/socket_file.py",
        "            sock.listen(BACKLOG)\n",
        "            sock.listen(BACKLOG)\n            os.chmod(handle, wanted.mode | 0o002)\n",
        "mallory connect /tmp/observatory.sock: the oracle says EACCES, the kernel did ok",
    ),
    "the group that was asked for is ignored": Fault(
        "listening/socket_file.py",
        "        os.chown(handle, -1, wanted.group)\n",
        "        pass\n",
        "dave connect /tmp/observatory.sock: the oracle says ok, the kernel did EACCES",
        group="team",
    ),
    "the first peer's credentials are used for all": Fault(
        "service/server.py",
        "        peer = peer_credentials(sock)\n",
        "        peer = Server.__dict__.get('first') or peer_credentials(sock)\n        Server.first = peer\n",
        "the listener saw Credentials(",
        mode=0o666,
    ),
    "the payload is merged over the trusted fields": Fault(
        "events.py",
        "        del value[key]\n",
        "        pass\n",
        "the listener saw Credentials(",
        mode=0o600,
    ),
    "it listens before the mode is set": Fault(
        "listening/socket_file.py",
        "        os.fchmod(sock.fileno(), 0)\n",
        "        sock.bind(path)\n        sock.listen(BACKLOG)\n        return\n",
        "mallory got in while the server with --mode 0600 and umask 000 started",
        umask=0o000,
    ),
}


@pytest.fixture
def break_server(copies: Path, tmp_path: Path) -> Callable[[Fault], str]:
    """Copy the server with a fault to where places see it; gives the copy's folder there."""

    def make(fault: Fault) -> str:
        copy = copies / tmp_path.name
        shutil.copytree(SOURCE, copy / "observatory", ignore=shutil.ignore_patterns("__pycache__"))
        module = copy / "observatory" / fault.module
        text = module.read_text()
        assert text.count(fault.right) == 1, f"{fault.module} no longer holds the text to break: {fault.right!r}"
        module.write_text(text.replace(fault.right, fault.wrong))
        return f"copies/{copy.name}"

    return make


@pytest.mark.parametrize("name", FAULTS)
def test_the_suite_fails_when(
    name: str,
    break_server: Callable[[Fault], str],
    place: Place,
    callers: Callers,
    serve: Callable[..., Server],
    request: pytest.FixtureRequest,
) -> None:
    fault = FAULTS[name]
    broken = functools.partial(serve, source=break_server(fault))
    if fault.umask is None:
        test = test_reach.test_the_kernel_admits_whom_the_oracle_admits_and_the_server_knows_them
        case = (place, callers, broken, uncounted, request, TMP, fault.mode, fault.group)
    else:
        test = test_window.test_a_stranger_who_hammers_connect_during_every_start_never_gets_in
        case = (place, broken, uncounted, fault.umask)
    with pytest.raises(AssertionError, match=re.escape(fault.says)):
        test(*case)


def uncounted(**_numbers: int) -> None:
    """A tally that takes no notice of what a broken server was tried with."""
