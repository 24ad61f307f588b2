"""Names of users and groups: those of this machine's name service, or of the files below another root directory."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from harness.live.foreign_root import read_file
from harness.live.kernel_text import lines_of
from harness.live.process import ALL_IDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.world import Principal


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


def accounts_below(root: str, reader: Principal) -> FileAccounts:
    """Read the files below a root directory as somebody there would; a file that can't be read names nobody."""
    texts: dict[str, bytes] = {}
    for name in ("etc/passwd", "etc/group"):
        with contextlib.suppress(OSError):
            texts[name] = read_file(root, name, reader)
    return parse_accounts(texts.get("etc/passwd", b""), texts.get("etc/group", b""))


def parse_accounts(passwd: bytes, group: bytes) -> FileAccounts:
    """The users and groups of passwd(5) and group(5); lines of another form are left out."""
    groups: dict[str, int] = {}
    members: dict[str, set[int]] = {}
    for name, _, number, listed in _rows(group, 4):
        gid = _id(number)
        if gid is not None:
            groups.setdefault(name, gid)
            for user in listed.split(","):
                members.setdefault(user, set()).add(gid)
    users: list[Account] = []
    for name, _, user_number, group_number, *_ in _rows(passwd, 7):
        uid, gid = _id(user_number), _id(group_number)
        if uid is not None and gid is not None:
            users.append(Account(name, uid, gid, tuple(sorted(members.get(name, set()) - {gid}))))
    return FileAccounts(tuple(users), groups)


def _rows(text: bytes, fields: int) -> Iterator[list[str]]:
    for line in lines_of(text):
        row = os.fsdecode(line).split(":")
        if len(row) == fields:
            yield row


def _id(text: str) -> int | None:
    """A uid or gid. Python takes no number of more than 4,300 digits, and the kernel none of more than 32 bits."""
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(ALL_IDS)):
        return None
    number = int(text)
    return number if number < ALL_IDS - 1 else None
