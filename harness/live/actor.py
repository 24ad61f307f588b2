"""Whose access is in question: from the options of a command line to ids, groups and capabilities."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.live.accounts import Account, Accounts, SystemAccounts, accounts_below
from harness.live.confinement import Filtered, filtered
from harness.live.process import ALL_IDS, OVERFLOW, RunningProcess, running
from harness.world import Principal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.live.unit_files import UnitFiles


class ActorError(Exception):
    """Nobody like that: one sentence."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A systemd service. `files` are None where it runs and has none; `capabilities` are those that it would have."""

    name: str
    files: UnitFiles | None
    capabilities: int = 0


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody whose attempt is to be explained, and the tree that they see.

    `name` is what the user database calls them. `database` is the user of that uid there, with the groups that a
    new login would get. `process` is set where a running process is meant: its mounts and root directory count, and
    its ids unless `entering` is set, for a process that is to be started beside it. `container` is the name by which
    `docker exec` knows that place. `filtered` is what the process's filters of system calls do. `unit` is the service
    that is meant: without a process it does not run, and its files say all.
    """

    name: str
    principal: Principal
    accounts: Accounts
    database: Account | None = None
    process: RunningProcess | None = None
    entering: bool = False
    container: str | None = None
    filtered: Filtered = field(default_factory=Filtered)
    unit: Unit | None = None

    @property
    def stopped_unit(self) -> Unit | None:
        """The service that is meant, where it does not run."""
        return self.unit if self.process is None else None

    @property
    def all_ids(self) -> tuple[frozenset[int], frozenset[int]]:
        """Real, effective, saved and file system's uids, and gids."""
        if self.process is not None and not self.entering:
            return self.process.ids
        return frozenset({self.principal.uid}), frozenset({self.principal.gid})

    @property
    def capabilities(self) -> int:
        """Their effective capabilities as bits; those of uid 0 in a place are what its first process may have."""
        if self.process is not None and not self.entering:
            return self.process.effective
        if self.unit is not None:
            return self.unit.capabilities
        if self.principal.uid != 0:
            return 0
        return (self.process or running(os.getpid())).bounding

    @property
    def pid(self) -> int:
        """Which process /proc/self means: theirs, else this one."""
        return os.getpid() if self.process is None else self.process.pid

    @property
    def namespace(self) -> str | None:
        """The user namespace that they are in, None where it may not be known."""
        try:
            return os.readlink(f"/proc/{self.pid}/ns/user")
        except OSError:
            return None

    @property
    def root(self) -> str:
        """Below which directory of ours their files are found."""
        return "/" if self.process is None else self.process.root

    def maps(self, uid: int, gid: int) -> bool:
        """Whether their capabilities count for what belongs to these ids (capable_wrt_inode_uidgid in the kernel)."""
        process = self.process or running(os.getpid())
        for number, ranges in ((uid, process.uids), (gid, process.gids)):
            whole = any(len(known) >= ALL_IDS - 1 for known in ranges)
            if not whole and (number == OVERFLOW or all(number not in known for known in ranges)):
                return False
        return True


def user(name: str) -> Actor:
    """A user by name, as a new login would have it. Raises ActorError."""
    accounts = SystemAccounts()
    account = accounts.user(int(name) if name.isdecimal() else name)
    if account is None:
        raise ActorError(f"no user of this machine is named {name}; for numbers use --uid, --gid and --groups")
    return Actor(account.name, Principal(account.uid, account.gid, account.groups), accounts, account)


def numbers(uid: int, gid: int | None, groups: Sequence[str]) -> Actor:
    """A uid with a gid (the user's own, else the same number) and supplementary groups by number or name.

    Raises ActorError.
    """
    accounts = SystemAccounts()
    account = accounts.user(uid)
    if gid is None:
        gid = uid if account is None else account.gid
    supplementary: set[int] = set()
    for group in groups:
        number = int(group) if group.isdecimal() else accounts.gid(group)
        if number is None:
            raise ActorError(f"no group of this machine is named {group}")
        supplementary.add(number)
    for number in (uid, gid, *supplementary):
        if not 0 <= number < ALL_IDS - 1:
            raise ActorError(f"{number} is not an id: 0 to {ALL_IDS - 2}")
    name = f"uid-{uid}" if account is None else account.name
    return Actor(name, Principal(uid, gid, tuple(sorted(supplementary))), accounts, account)


def process(pid: int, ours: int = 0) -> Actor:
    """A running process, with the ids, groups, capabilities and filters that it has now. Raises ProcessError.

    Of its filters, `ours` are the harness's own.
    """
    found = running(pid)
    accounts: Accounts = SystemAccounts() if found.root == "/" else accounts_below(found.root, found.principal)
    account = accounts.user(found.principal.uid)
    name = f"uid-{found.principal.uid}" if account is None else account.name
    return Actor(name, found.principal, accounts, account, found, filtered=filtered(pid, ours))


def myself() -> Actor:
    """This very process."""
    return process(os.getpid())


def working_directory(who: Actor) -> str:
    """Where a process stands; for anybody else, where this one does. Raises ActorError if that can't be known."""
    pid = os.getpid() if who.process is None else who.process.pid
    try:
        path = os.readlink(f"/proc/{pid}/cwd")
    except OSError as error:
        raise ActorError(f"the working directory of process {pid} can't be read: {error.strerror}") from error
    if not path.startswith("/") or path.endswith(" (deleted)"):
        raise ActorError(f"the working directory of process {pid} is out of reach ({path}): give an absolute path")
    return path
