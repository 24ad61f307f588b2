"""A policy of SELinux that answers as its file system does."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from harness.live import selinux
from harness.live.accounts import FileAccounts
from harness.live.actor import Actor
from harness.live.components import Component
from harness.live.listener import Holder
from harness.live.process import RunningProcess
from harness.live.query import UnansweredError
from harness.live.scene import Scene
from harness.live.sockets import FoundSocket
from harness.world import Attempt, Principal, User, World, complete

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from harness.live.components import ComponentKind
    from harness.live.layer_state import Answer
    from harness.world import Operation

NAMES: Final = ("create", "unlink", "rename", "setattr", "getattr", "read", "write", "open")
POLICY: Final = {
    "dir": ("search", "add_name", "remove_name", "reparent", "rmdir", *NAMES),
    "sock_file": NAMES,
    "unix_stream_socket": ("create", "connect", "bind", "connectto"),
    "file": ("execute", *NAMES),
    "lnk_file": NAMES,
    "fifo_file": NAMES,
    "capability": ("dac_override", "dac_read_search", "fowner", "chown"),
}
CONTEXTS: Final = {
    "/": "root",
    "/run": "run",
    "/run/s": "var",
    "/run/d": "sub",
    "/run/f": "var",
    "/run/l": "var",
    "/run/p": "var",
    "/srv": "srv",
}
"""What is there, a path each; what is new gets the context `new`."""
WEB, SERVER = 2**22 + 8, 2**22 + 9
"""No process has such a pid."""


class Policy:
    """What it allows: to a source, a target and a class."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.permissive: set[str] = set()
        self.answers = True
        self.holder: Holder | None = Holder(SERVER, "server", 0, 0.0)
        self._folder = folder
        self._allowed: dict[tuple[str, str, str], set[str]] = {}
        for index, (kind, permissions) in enumerate(POLICY.items(), 1):
            perms = folder / "class" / kind / "perms"
            perms.mkdir(parents=True)
            (folder / "class" / kind / "index").write_text(f"{index}", encoding="ascii")
            for number, permission in enumerate(permissions, 1):
                (perms / permission).write_text(f"{number}", encoding="ascii")
        self.enforce("1")
        self.asks_to_open("1")
        monkeypatch.setattr(selinux, "FOLDER", folder)
        monkeypatch.setattr(selinux, "_exchange", self._exchange)
        monkeypatch.setattr(selinux, "in_child", lambda work, _seconds: work())  # nobody's file system is waited for
        monkeypatch.setattr(selinux, "_getxattr", CONTEXTS.__getitem__)
        monkeypatch.setattr(selinux, "_context_of", lambda pid, _what: {WEB: "web", SERVER: "server"}[pid])
        monkeypatch.setattr(selinux, "holders", lambda _inode: () if self.holder is None else (self.holder,))

    def enforce(self, value: str) -> None:
        (self._folder / "enforce").write_text(value, encoding="ascii")

    def asks_to_open(self, value: str) -> None:
        """Whether the policy has the capability `open_perms`."""
        (self._folder / "policy_capabilities").mkdir(exist_ok=True)
        (self._folder / "policy_capabilities" / "open_perms").write_text(value, encoding="ascii")

    def allow(self, source: str, target: str, kind: str, *permissions: str) -> None:
        self._allowed.setdefault((source, target, kind), set()).update(permissions)

    def allow_all(self, source: str) -> None:
        for target in (*CONTEXTS.values(), "new", "server", source):
            for kind, permissions in POLICY.items():
                self.allow(source, target, kind, *permissions)

    def deny(self, source: str, target: str, kind: str, permission: str) -> None:
        self._allowed.get((source, target, kind), set()).discard(permission)

    def _exchange(self, name: str, text: str) -> str:
        if name == "create":
            return "new"
        source, target, number = text.split()
        if not self.answers:
            raise UnansweredError("the kernel does not answer what its policy allows: nothing")
        kind = [*POLICY][int(number) - 1]
        allowed = self._allowed.get((source, target, kind), set())
        mask = sum(1 << place for place, permission in enumerate(POLICY[kind]) if permission in allowed)
        return f"{mask:x} ffffffff 0 ffffffff 1 {int(source in self.permissive):x}"


def confined_actor(*, process: bool = True) -> Actor:
    """web, as a process or as a new login."""
    everything = (range(2**32),)
    running = RunningProcess(WEB, "web", Principal(33, 33), "/", everything, everything)
    return Actor("web", Principal(33, 33), FileAccounts((), {}), None, running if process else None)


def _component(path: str) -> Component:
    kinds: dict[str, tuple[ComponentKind, int]] = {
        "s": ("socket", stat.S_IFSOCK),
        "f": ("file", stat.S_IFREG),
        "l": ("symlink", stat.S_IFLNK),
        "p": ("file", stat.S_IFIFO),
    }
    kind, mode = kinds.get(path.rpartition("/")[2], ("directory", stat.S_IFDIR))
    return Component(path, kind, os.stat_result((mode | 0o755, 2, 1, 1, 0, 0, 0, 0, 0, 0)), (), None)


def asked(
    policy: Policy,
    who: Actor | None = None,
    listener: FoundSocket | None = None,
    operation: Operation = "connect",
    path: str = "/run/s",
    to: str | None = None,
    hidden: str | None = None,
    world: World | None = None,
) -> Answer:
    """What SELinux says of what web wants, among the paths of `CONTEXTS`."""
    del policy
    ends = tuple(end for end in (path, to) if end is not None)
    passed = [each for each in CONTEXTS if any(end == each or end.startswith(f"{each}/") for end in ends)]
    scene = Scene(
        complete(world or World("w", users=(User("web", 33, 33),))),
        Attempt("web", operation, path, to),
        hidden,
        _component("/"),
        (),
        frozenset(),
        components={each: _component(each) for each in passed},
        listener=listener or FoundSocket("stream", "listening", inode=7),
        ends=ends if hidden is None else (None,),
    )
    return selinux.answer(who or confined_actor(), scene, {"selinux"})
