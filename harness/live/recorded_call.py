"""A failed call that the audit system recorded, explained: by its process, or if that has ended by a new login."""

from __future__ import annotations

import os
import posixpath
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.live.accounts import SystemAccounts
from harness.live.actor import Actor
from harness.live.judgement import find
from harness.live.kernel_text import read_lines
from harness.live.process import ProcessError, running, started
from harness.live.refused_call import RefusedCall, explained
from harness.live.scene import Wanted, scene
from harness.trace.calls import machine
from harness.trace.failed_call import FailedCall
from harness.world import Principal

if TYPE_CHECKING:
    from harness.audit.records import RecordedCall

_CLOSE: Final = 0.05
"""Seconds by which the clocks of records and of processes' starts may differ."""


def concerns(call: RecordedCall, path: str) -> bool:
    """Whether a call was for the socket at an absolute path, or for an abstract name: by where it led, else by name."""
    if path.startswith("@") or call.path.startswith("@"):
        return call.path == path and _in_our_network(call.pid)
    try:
        watched: os.stat_result | None = os.stat(path)
    except OSError:
        watched = None
    if watched is not None and call.file == (watched.st_dev, watched.st_ino):
        return True
    root = _root(call)
    if root == "/":
        return _leads_to(_name(call), path)
    try:
        return watched is not None and os.path.samestat(os.stat(root + _name(call)), watched)
    except OSError:
        return False


def explained_record(call: RecordedCall, path: str) -> RefusedCall:
    """Explain a call that was for a path."""
    known = machine()
    names = {} if known is None else {number: name for name, number in known.numbers.items()}
    base = None if call.path.startswith(("/", "@")) else call.cwd
    failed = FailedCall(call.pid, names.get(call.number, "connect"), "connect", call.error, call.path, base=base)
    if _there(call):
        refused = explained(failed, 0)
        if _there(call):
            return refused
    return _of_a_login(call, failed, path)


def _of_a_login(call: RecordedCall, failed: FailedCall, path: str) -> RefusedCall:
    """What a new login of that user meets now, since nothing is left of the process but its ids."""
    accounts = SystemAccounts()
    account = accounts.user(call.uid)
    groups = () if account is None or account.gid != call.gid else account.groups
    name = f"uid-{call.uid}" if account is None else account.name
    who = Actor(name, Principal(call.uid, call.gid, groups), accounts, account)
    try:
        seen = scene(who, Wanted("connect", _name(call) if _leads_to(_name(call), path) else path))
        judgement = find(who, seen)
    except (OSError, ValueError) as error:
        return RefusedCall(failed, name, call.program, None, f"it could not be looked at: {error}")
    model = judgement.decision.outcome if judgement.conclusive else None
    ended = f"the process has ended: this is what a new login of {name} would meet now"
    judgement = replace(judgement, notes=(*judgement.notes, ended))
    if model == failed.outcome:
        reason = judgement.decision.why
    else:
        told = "not known" if model is None else model
        reason = (
            f"the process has ended, and to a new login of {name} the answer is {told}: its groups, capabilities, "
            "mounts or root directory were others, or something has changed since"
        )
    return RefusedCall(failed, name, call.program, model, reason, (who, seen, judgement))


def _leads_to(name: str, path: str) -> bool:
    """Whether two names are one file's from here, or would be if there were one."""
    try:
        return os.path.samestat(os.stat(name), os.stat(path))
    except OSError:
        return os.path.realpath(name) == os.path.realpath(path)


def _name(call: RecordedCall) -> str:
    """The path from the process's root directory on."""
    return call.path if call.path.startswith("@") else posixpath.join(call.cwd or "/", call.path)


def _root(call: RecordedCall) -> str:
    """Where the files of the process are found from here: at `/` too if it has ended."""
    try:
        return running(call.pid).root if _there(call) else "/"
    except ProcessError:
        return "/"


def _there(call: RecordedCall) -> bool:
    """Whether the process that made the call is there still, with the same ids."""
    try:
        ids = running(call.pid).principal
        began = started(call.pid) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ProcessError):
        return False
    since_boot = float(read_lines("/proc/uptime")[0].split()[0]) - (time.time() - call.at)
    return (ids.uid, ids.gid) == (call.uid, call.gid) and began <= since_boot + _CLOSE


def _in_our_network(pid: int) -> bool:
    """Whether a process has our network namespace; yes where it has ended."""
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), os.stat("/proc/self/ns/net"))
    except OSError:
        return True
