"""A systemd service as who asks: its main process while it runs, else whom its files say it would run as."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.inside.capabilities import CAPABILITIES
from harness.live.accounts import Account, SystemAccounts
from harness.live.actor import Actor, ActorError, Unit, process
from harness.live.process import named, started, unit_of
from harness.live.unit_calls import calls_of
from harness.live.unit_files import UnitError, UnitFiles, read_unit
from harness.world import Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.live.accounts import Accounts

BOOTED: Final = "/run/systemd/system"
"""It exists where systemd is the first process (sd_booted(3))."""
ALL_CAPABILITIES: Final = (1 << len(CAPABILITIES)) - 1


def unit(name: str) -> Actor:
    """A service by its name. Raises ActorError, and ProcessError where its process can't be looked at."""
    try:
        files = read_unit(name)
    except UnitError as error:
        running = _main_process(name if name.endswith(".service") else f"{name}.service")
        if running is None:
            raise ActorError(str(error)) from error
        return replace(process(running), unit=Unit(name, None))
    running = _main_process(files.name)
    if running is not None:
        return replace(process(running), unit=Unit(files.name, files))
    return from_files(files, SystemAccounts())


def from_files(files: UnitFiles, accounts: Accounts) -> Actor:
    """Whom a service would run as by its files (systemd.exec(5), CREDENTIALS). Raises ActorError."""
    account = _account(files, accounts)
    uid = 0 if account is None else account.uid
    gid = _gid(files.last("Group"), accounts, files)
    own = (0, ()) if account is None else (account.gid, account.groups)
    groups = {*own[1], *(_number(word, accounts, files) for word in files.words("SupplementaryGroups"))}
    held = capability_bits(files.assignments.get("CapabilityBoundingSet"), ALL_CAPABILITIES)
    if uid != 0:
        held &= capability_bits(files.assignments.get("AmbientCapabilities"), 0)
    principal = Principal(uid, own[0] if gid is None else gid, tuple(sorted(groups)), named(held, uid))
    shown = "root" if uid == 0 else f"uid-{uid}" if account is None else account.name
    known = None if account is None or account.name == f"uid-{uid}" else account
    return Actor(shown, principal, accounts, known, None, filtered=calls_of(files), unit=Unit(files.name, files, held))


def _account(files: UnitFiles, accounts: Accounts) -> Account | None:
    """The user of a service, None for root. Raises ActorError."""
    name = files.last("User")
    if name is None and files.yes("DynamicUser"):
        name = files.name.partition(".")[0].partition("@")[0]
    if name is None or name in {"root", "0"}:
        return None
    found = accounts.user(int(name) if name.isdecimal() else name)
    if found is not None:
        return found
    if files.yes("DynamicUser"):
        raise ActorError(
            f"{files.name} gets a uid when it is started (DynamicUser=), and does not run now: start it, and ask again"
        )
    if name.isdecimal():
        return Account(f"uid-{name}", int(name), int(name), ())
    raise ActorError(f"{files.name} is to run as {name}, and no user of this machine is named so: it can't be started")


def _gid(name: str | None, accounts: Accounts, files: UnitFiles) -> int | None:
    return None if name is None else _number(name, accounts, files)


def _number(name: str, accounts: Accounts, files: UnitFiles) -> int:
    number = int(name) if name.isdecimal() else accounts.gid(name)
    if number is None:
        raise ActorError(f"{files.name} is to have the group {name}, and no group of this machine is named so")
    return number


def capability_bits(values: Sequence[str] | None, start: int) -> int:
    """A set of capabilities as bits: a list that begins with `~` takes away, others add; `start` without any list.

    The first that adds begins with none, the first that takes away with all; an empty one leaves none
    (systemd.exec(5)).
    """
    if values is None:
        return start
    held: int | None = None
    for value in values:
        bits = sum(1 << CAPABILITIES[name] for name in value.lstrip("~").split() if name in CAPABILITIES)
        if value.startswith("~"):
            held = (ALL_CAPABILITIES if held is None else held) & ~bits
            continue
        held = (held or 0) | bits
    return held or 0


def _main_process(name: str) -> int | None:
    """The main process of a service that runs: systemd's word, else the oldest process of its control group."""
    if Path(BOOTED).is_dir():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
            words = ["systemctl", "show", "--property=MainPID", "--value", "--", name]
            said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
            if said.returncode == 0:
                return int(said.stdout) or None
    pids = sorted(int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    members: list[tuple[int, int]] = []
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):  # it has ended
            members += [(started(pid), pid)] if unit_of(pid) == name else []
    return min(members)[1] if members else None
