"""Having failed calls recorded for a while, and leaving the audit system as it was."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import select
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.audit.error import AuditError
from harness.audit.kernel import LOCKED, Kernel, listening, received
from harness.audit.records import AUDIT_CONFIG_CHANGE, Assembly
from harness.audit.rule import Watcher, rule, watcher
from harness.trace.calls import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.audit.kernel import Status
    from harness.audit.records import RecordedCall

LOCK: Final = Path("/run/harness-watch.lock")
"""Held while a watcher comes or goes: the first switches the audit system on, the last leaves it as it was."""
_BACKLOG: Final = 8192
"""Records that may wait, as distributions' auditd has it; beyond the limit the kernel holds up whoever calls."""
_SECONDS: Final = 20.0
"""A record comes in a moment, but on a busy machine."""


class LostError(Exception):
    """The kernel has dropped records: not every failed call is known."""


class SwitchedOffError(Exception):
    """Somebody has switched the audit system off, or deleted the rule: nothing more will be recorded."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Calls as they fail. `older_unseen`: a program that was started before may have no record made of it."""

    listener: socket.socket
    assembly: Assembly
    older_unseen: bool

    def fileno(self) -> int:
        """What to wait for with select()."""
        return self.listener.fileno()

    def next(self) -> RecordedCall | None:
        """Read one record; a call, if this was its last, and neither this process nor a child of it made the call.

        Raises LostError and SwitchedOffError.
        """
        try:
            message = received(self.listener)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise LostError from error
            raise
        if message is None:
            return None
        kind, text = message
        if kind == AUDIT_CONFIG_CHANGE and self.assembly.ends(text):
            raise SwitchedOffError
        call = self.assembly.record(kind, text)
        return None if call is not None and os.getpid() in {call.pid, call.parent} else call


@contextlib.contextmanager
def recording() -> Iterator[Recording]:
    """Have each failed call on a Unix socket's address recorded until the end. Raises AuditError.

    It is known to work before it is given: a call that fails has been made, and its record has come.
    """
    known = machine()
    if known is None:
        raise AuditError("the numbers of this machine's system calls are not known: x86_64 and aarch64 on Linux are")
    with contextlib.ExitStack() as stack:
        kernel = stack.enter_context(Kernel())
        kernel.status()  # who may not ask is told so, before anything is made
        with _locked():
            before = kernel.status()
            if before.enabled == LOCKED:
                raise AuditError("the audit system's rules are locked until this machine is restarted (auditctl -e 2)")
            listener = stack.enter_context(listening())
            we = _one_more(kernel, before)
            ours = rule(known, we.key)
            stack.callback(_leave, kernel, we, ours)
            kernel.add(ours)
            if before.backlog_limit < _BACKLOG:
                kernel.set_backlog_limit(_BACKLOG)
            kernel.set_enabled(1)
        assembly = Assembly(we.key)
        seen = _seen_failing(listener, assembly)
        if not seen.new:
            raise AuditError(
                "the kernel records no failed call, so nobody can be seen: a rule 'never' keeps it from that, such as "
                "Fedora's 'never,task' (auditctl -l shows the rules, auditctl -d never,task deletes that one)"
            )
        yield Recording(listener, assembly, older_unseen=not seen.old)


def _one_more(kernel: Kernel, now: Status) -> Watcher:
    """This process, with what was before the first watcher; rules of watchers that have ended are deleted."""
    we = Watcher(os.getpid(), now.enabled, now.backlog_limit)
    for each in kernel.rules():
        other = watcher(each)
        if other is None:
            continue
        we = replace(other, pid=we.pid)
        if not Path(f"/proc/{other.pid}").exists():
            kernel.delete(each)
    return we


def _leave(kernel: Kernel, we: Watcher, ours: bytes) -> None:
    with _locked():
        with contextlib.suppress(AuditError):  # somebody may have deleted it, by auditctl -D
            kernel.delete(ours)
        if all(watcher(each) is None for each in kernel.rules()):
            kernel.set_backlog_limit(we.backlog_limit)
            kernel.set_enabled(we.enabled)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    try:
        file = os.open(LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise AuditError(f"{LOCK} can't be made: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whose failed call has been recorded: that of a process that was there before, and that of a new one."""

    old: bool
    new: bool


def _seen_failing(listener: socket.socket, assembly: Assembly) -> _Seen:
    """Have this process and a new one call in vain, one after the other, and wait for their records."""
    old, new = (f"harness-watch-{secrets.token_hex(8)}" for _ in range(2))
    _fail(old)
    child = os.fork()
    if child == 0:
        _fail(new)
        os._exit(0)
    os.waitpid(child, 0)
    paths: set[str] = set()
    until = time.monotonic() + _SECONDS
    while (left := until - time.monotonic()) > 0 and select.select([listener], [], [], left)[0]:
        with contextlib.suppress(OSError):
            message = received(listener)
            call = None if message is None else assembly.record(*message)
            if call is not None:
                paths.add(call.path)
            if f"@{new}" in paths:
                break
    return _Seen(f"@{old}" in paths, f"@{new}" in paths)


def _fail(name: str) -> None:
    """Connect to a name that nobody has."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one, contextlib.suppress(OSError):
        one.connect(f"\0{name}")
