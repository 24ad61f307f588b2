"""The server with deliberate faults, each in a package that has the rest from the server itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REST = """
__path__.append(__path__[0].replace("/copies/{copy}/", "/source/"))
with open(__path__[1] + "/__init__.py") as file:
    exec(file.read())
"""
"""A package that has what it lacks from the same one of the server, which a place has beside it."""


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
    """Make a package that has the one module with the fault, and all else from where the server's source will be."""
    fault = FAULTS[name]
    copy = copies / copy_of(name) / "observatory"
    text = (source / fault.module).read_text()
    assert text.count(fault.right) == 1, f"{fault.module} no longer holds the text to break: {fault.right!r}"
    for package in Path(fault.module).parents:
        (copy / package).mkdir(parents=True, exist_ok=True)
        (copy / package / "__init__.py").write_text(REST.format(copy=copy_of(name)))
    (copy / fault.module).write_text(text.replace(fault.right, fault.wrong))
