"""The server with deliberate faults, each in a copy."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
        "service/acceptor.py",
        "        peer = accepted_credentials(sock)\n",
        "        peer = Acceptor.__dict__.get('first') or accepted_credentials(sock)\n        Acceptor.first = peer\n",
        "the listener saw Credentials(",
        mode=0o666,
    ),
    "the payload is merged over the trusted fields": Fault(
        "events.py",
        ' if not name.startswith("_")}',
        "}",
        "the listener saw Credentials(",
        mode=0o600,
    ),
    "it listens before the mode is set": Fault(
        "listening/socket_file.py",
        "        os.fchmod(sock.fileno(), 0)\n",
        # Open for a moment: whether a stranger hits on a shorter one, on a busy machine, is luck.
        "        sock.bind(path)\n        sock.listen(BACKLOG)\n        __import__('time').sleep(0.05)\n"
        "        return\n",
        "got in while the server with --mode 0600 and umask 000 started",
        umask=0o000,
    ),
}


def copy_of(name: str) -> str:
    """The name of the folder that holds the copy with this fault."""
    return re.sub(r"\W+", "-", name)


def break_server(name: str, source: Path, copies: Path) -> None:
    """Copy the server with a fault."""
    fault = FAULTS[name]
    copy = copies / copy_of(name) / "observatory"
    shutil.copytree(source, copy)  # with what is compiled
    module = copy / fault.module
    text = module.read_text()
    assert text.count(fault.right) == 1, f"{fault.module} no longer holds the text to break: {fault.right!r}"
    module.write_text(text.replace(fault.right, fault.wrong))
