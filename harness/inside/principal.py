"""A process of a probe that becomes somebody else, and what the kernel says of it."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def become(person: Mapping[str, Any]) -> None:
    """Take on `uid`, `gid`, `groups` for good; `real_uid`, where given, differs from the effective uid."""
    os.setgroups(person["groups"])
    os.setresgid(person["gid"], person["gid"], person["gid"])
    os.setresuid(person.get("real_uid", person["uid"]), person["uid"], person["uid"])


def act_as(person: Mapping[str, Any] | None) -> None:
    """Take on a person's effective ids and groups for a while; `None` takes root's back."""
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(person["groups"] if person else [])
    if person:
        os.setegid(person["gid"])
        os.seteuid(person["uid"])


def myself() -> dict[str, Any]:
    """The effective ids and the supplementary groups of this process, from /proc (proc(5)), and its user's name."""
    with open("/proc/self/status", encoding="ascii") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    return {
        "pid": os.getpid(),
        "uid": int(fields["Uid"].split()[1]),
        "gid": int(fields["Gid"].split()[1]),
        "groups": sorted({int(group) for group in fields["Groups"].split()}),
        "user": user_name(os.geteuid()),
    }


def user_name(uid: int) -> str | None:
    """The name of a uid, where it has one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
