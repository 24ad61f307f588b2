"""Names of users and groups: those of this machine's name service, or of the files below another root directory."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the user database, with the groups that a login would give."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


class Accounts(Protocol):
    """A database of users and groups."""

    def user(self, who: str | int) -> Account | None:
        """The user of that name or uid."""
        ...

    def group(self, gid: int) -> str | None:
        """The name of a group."""
        ...

    def gid(self, name: str) -> int | None:
        """The number of a group."""
        ...


class SystemAccounts:
    """This machine's users and groups, by whatever its name service asks (files, LDAP, ...)."""

    def user(self, who: str | int) -> Account | None:
        """The user of that name or uid."""
        try:
            entry = pwd.getpwnam(who) if isinstance(who, str) else pwd.getpwuid(who)
        except KeyError:
            return None
        groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid)) - {entry.pw_gid}
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)))

    def group(self, gid: int) -> str | None:
        """The name of a group."""
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return None

    def gid(self, name: str) -> int | None:
        """The number of a group."""
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None


@dataclass(frozen=True, slots=True)
class FileAccounts:
    """The users and groups of /etc/passwd and /etc/group below a root directory: a container's."""

    users: tuple[Account, ...]
    groups: Mapping[str, int] = field(default_factory=dict[str, int])

    def user(self, who: str | int) -> Account | None:
        """The user of that name or uid."""
        return next((user for user in self.users if who in {user.name, user.uid}), None)

    def group(self, gid: int) -> str | None:
        """The name of a group."""
        return next((name for name, number in self.groups.items() if number == gid), None)

    def gid(self, name: str) -> int | None:
        """The number of a group."""
        return self.groups.get(name)


def accounts_below(root: str) -> FileAccounts:
    """Read the files below a root directory; what is absent or malformed is left out."""
    groups: dict[str, int] = {}
    members: dict[str, set[int]] = {}
    for name, _, number, listed in _rows(f"{root}/etc/group", 4):
        if number.isdecimal():
            groups.setdefault(name, int(number))
            for user in listed.split(","):
                members.setdefault(user, set()).add(int(number))
    users = tuple(
        Account(name, int(uid), int(gid), tuple(sorted(members.get(name, set()) - {int(gid)})))
        for name, _, uid, gid, *_ in _rows(f"{root}/etc/passwd", 7)
        if uid.isdecimal() and gid.isdecimal()
    )
    return FileAccounts(users, groups)


def _rows(path: str, fields: int) -> list[list[str]]:
    try:
        lines = Path(path).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [row for row in (line.split(":") for line in lines) if len(row) == fields]
