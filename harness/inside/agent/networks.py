"""The network namespaces of a world beside the place's own, where ip-netns(8) has them: /run/netns/NAME."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.inside.agent.errors import RefusalError
from harness.inside.agent.inheritance import close_all_but, reset_signals
from harness.inside.agent.outside import Outside
from harness.inside.libc import CLONE_NEWNET, MS_BIND, mount, setns, unshare

if TYPE_CHECKING:
    from typing import NoReturn

FOLDER = "/run/netns"
OWN = "/proc/self/ns/net"


class Networks:
    """Each is made when it is first needed, and stays: what is in there ends with the world that has put it there.

    A process stands in each, by which it is found by who looks at all of them, from outside of the place too.
    """

    def __init__(self) -> None:
        self.own = -1
        self._held: list[int] = []
        self._known: dict[str, int] = {}

    def show(self, names: list[str]) -> None:
        """Have these, and show them below `FOLDER`. Raises RefusalError."""
        for name in names:
            try:
                self._show(name)
            except OSError as error:
                raise RefusalError(f"the network namespace {name} cannot be made here: {error.strerror}") from None

    def descriptor(self, name: str) -> int:
        """A descriptor of the one of that name. Raises RefusalError."""
        if name not in self._known:
            raise RefusalError(f"the world has no network namespace {name}")
        return self._known[name]

    def _show(self, name: str) -> None:
        if name not in self._known:
            self._known[name] = self._made()
        os.makedirs(FOLDER, 0o755, exist_ok=True)
        path = f"{FOLDER}/{name}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444))
        with Outside.reached(f"/proc/self/fd/{self._known[name]}") as source:
            mount(source, path, None, MS_BIND)

    def _made(self) -> int:
        if self.own == -1:
            self.own = Outside.open(OWN)
        end, held = os.pipe()
        self._held.append(held)
        unshare(CLONE_NEWNET)
        try:
            if os.fork() == 0:
                _stand(end)
            os.close(end)
            return Outside.open(OWN)
        finally:
            setns(self.own, CLONE_NEWNET)


def _stand(end: int) -> NoReturn:
    """In the forked process: be there until the agent has ended."""
    try:
        reset_signals()
        close_all_but(end)
        os.read(end, 1)
    finally:
        os._exit(0)
