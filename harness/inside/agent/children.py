"""The agent's children: processes each of which is one principal."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING, NamedTuple

from harness.inside import credentials
from harness.inside.agent import confinement
from harness.inside.agent.errors import EndOfInput, RefusalError
from harness.inside.agent.inheritance import close_all_but, reset_signals
from harness.inside.agent.outside import Outside
from harness.inside.agent.standing import below
from harness.inside.capabilities import become_with
from harness.inside.libc import CLONE_NEWNET, setns
from harness.inside.principal import become

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from harness.inside.agent.networks import Networks
    from harness.inside.messages import EncodedCredentials, EncodedPrincipal

CHILDREN = 64
"""Principals' children that are alive at the same time."""
READY = b"ready "
"""Before what the child was told of itself."""
ANYWHERE = " anywhere"
"""Marks the children that stand in no directory of the world and so outlive it."""


def become_or_refuse(principal: EncodedPrincipal) -> None:
    """Give up root for what the principal is. Raises RefusalError where nobody can be that."""
    wanted = principal.get("capabilities")
    confined = principal.get("confined")
    if confined is not None:
        confinement.prepare(confined)
    try:
        if wanted is None:
            become(principal)
        else:
            become_with(principal, wanted)
    except OSError as error:
        groups = ",".join(map(str, principal["groups"])) or "none"
        raise RefusalError(
            f"no process can become uid {principal['uid']}, gid {principal['gid']}, groups {groups} in this place: "
            f"{error.strerror}"
        ) from None
    if confined is not None:
        confinement.enter(confined)


class Standing(NamedTuple):
    """Where a child stands: its root directory, its working directory in there, and its network namespace by name."""

    root: str | None = None
    cwd: str | None = None
    network: str | None = None


NOWHERE = Standing()
"""In nothing that a world has made."""


class Child:
    """A process that is one principal and does what `serve` has it do.

    `serve` is called in the process with its end of the channel and does not return; `kept` are the descriptors that it
    needs. `network` is the descriptor of the network namespace that it goes into.
    """

    def __init__(
        self,
        principal: EncodedPrincipal,
        where: Standing,
        serve: Callable[[socket.socket], NoReturn],
        kept: Sequence[int] = (),
        network: int | None = None,
    ) -> None:
        self._channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                reset_signals()
                if network is not None:
                    setns(network, CLONE_NEWNET)
                close_all_but(theirs.fileno(), *kept)
                os.umask(0o022)
                if where.root is not None:
                    os.chroot(where.root)
                os.chdir(where.cwd or "/")
                become_or_refuse(principal)
                theirs.sendall(READY + json.dumps(credentials.of_this_process()).encode() + b"\n")
                serve(theirs)
            except RefusalError as refusal:
                theirs.sendall(str(refusal).encode() + b"\n")
            except OSError as error:
                theirs.sendall(f"nobody can stand in {where.cwd or where.root}: {error.strerror}\n".encode())
            finally:
                os._exit(1)
        theirs.close()
        self._buffer = b""
        self._is_ready = False

    def wait_until_ready(self) -> None:
        """Wait until it is the principal. Raises RefusalError if it can't be that, or not in that directory."""
        if not self._is_ready:
            said = self.read_line()
            if not said.startswith(READY):
                raise RefusalError(said.decode())
            self._told: EncodedCredentials = json.loads(said[len(READY) :])
            self._is_ready = True

    def send(self, data: bytes) -> None:
        """Tell it something."""
        self._channel.sendall(data)

    def read_line(self) -> bytes:
        """What it says, up to a newline."""
        while b"\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def read(self, count: int) -> bytes:
        """So many bytes of what it says."""
        while len(self._buffer) < count:
            self._fill()
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def credentials(self) -> EncodedCredentials:
        """What the kernel says of it: by /proc, else what it was told itself when it became the principal."""
        if sys.platform != "linux":
            return self._told
        return credentials.of_process(self.pid, Outside.read(f"/proc/{self.pid}/status"))

    def end(self) -> None:
        """End it; the main loop reaps it."""
        self._channel.close()
        os.kill(self.pid, signal.SIGKILL)

    def _fill(self) -> None:
        """Wait for the child. The agent's own input may end meanwhile: then all ends."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(0, 0)
        for descriptor, _ in poll.poll():
            if descriptor == 0:
                raise EndOfInput
            piece = self._channel.recv(1 << 20)
            if not piece:
                raise RefusalError(f"the process {self.pid} that makes attempts has died")
            self._buffer += piece


class Children:
    """The children that make attempts, by principal and directory: each stays alive for the next ones."""

    def __init__(self, serve: Callable[[socket.socket, str, str | None], NoReturn], networks: Networks) -> None:
        self._serve = serve
        self._networks = networks
        self._alive: dict[str, Child] = {}

    def child(self, principal: EncodedPrincipal, where: Standing = NOWHERE) -> Child:
        """The child that is this principal there; of those that were not asked for lately, some end."""
        key = json.dumps(principal, sort_keys=True) + ANYWHERE
        if where != NOWHERE:
            with below(where.root):
                there = os.stat(where.cwd or "/")
            key += f"{there.st_dev} {there.st_ino} {where}"  # another one may have got its name meanwhile
        child = self._alive.pop(key, None)
        if child is None:
            cwd, root = where.cwd or "/", where.root
            network = None if where.network is None else self._networks.descriptor(where.network)
            child = Child(principal, where, lambda channel: self._serve(channel, cwd, root), network=network)
            if len(self._alive) >= CHILDREN:
                self._alive.pop(next(iter(self._alive))).end()
        self._alive[key] = child
        return child

    def forget(self, child: Child) -> None:
        """End a child that failed."""
        self._alive = {key: each for key, each in self._alive.items() if each is not child}
        child.end()

    def end_those_of_the_world(self) -> None:
        """End the children that stand in a directory of the world."""
        for key in [key for key in self._alive if not key.endswith(ANYWHERE)]:
            self._alive.pop(key).end()

    def end(self) -> None:
        """End all of them."""
        for child in self._alive.values():
            child.end()
