"""Who asks in a container of Docker or Podman, by what these say of it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.live.actor import Actor, ActorError, process
from harness.live.process import ProcessError, named, outside
from harness.world import Principal

if TYPE_CHECKING:
    from harness.live.accounts import Accounts

_FORMAT: Final = "{{.State.Pid}} {{json .HostConfig.GroupAdd}}"


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A running container: the pid of its first process, and the groups that each of its processes gets beside its own
    (`--group-add`).
    """

    pid: int
    groups: tuple[str, ...]


def container(name: str) -> RunningContainer:
    """A container by what Docker or Podman says. Raises ProcessError if no running one has that name or id."""
    for command in ("docker", "podman"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired, ValueError):
            said = subprocess.run(
                [command, "inspect", "--type", "container", "--format", _FORMAT, "--", name],
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            pid, _, groups = said.stdout.strip().partition(" ")
            if said.returncode == 0 and pid.isdecimal() and int(pid) > 0:
                return RunningContainer(int(pid), tuple(map(str, json.loads(groups) or ())))
    raise ProcessError(f"neither docker nor podman knows a running container {name!r}")


def in_container(name: str, who: str | None) -> Actor:
    """The first process of a running container, or whom `docker exec --user WHO` would start in it.

    `who` is as Docker takes it: a user's name or uid, and after a colon a group's name or gid instead of their own.
    Raises ProcessError, and ActorError where the container has nobody like that.
    """
    found = container(name)
    first = replace(process(found.pid), container=name)
    if who is None or first.process is None:
        return first
    user_name, _, group = who.partition(":")
    account = first.accounts.user(_number(user_name))
    uid = account.uid if account is not None else _number(user_name)
    gid = _gid(group, first.accounts) if group else 0 if account is None else account.gid
    if not isinstance(uid, int) or gid is None:
        raise ActorError(f"the container {name} has nobody named {who}; for numbers use UID:GID")
    # With a group, Docker gives that one alone, and those of --group-add (GetExecUser in moby/sys/user).
    own = account.groups if account is not None and not group else ()
    added = [number for text in found.groups if (number := _gid(text, first.accounts)) is not None]
    uids = outside(uid, found.pid, "uid_map")
    gids = [outside(number, found.pid, "gid_map") for number in (gid, *own, *added)]
    held = named(first.process.bounding, 0) if uid == 0 else None
    principal = Principal(uids, gids[0], tuple(sorted(set(gids[1:]))), held)
    shown = f"uid-{uid}" if account is None else account.name
    return replace(first, name=shown, principal=principal, database=None, entering=True)


def _number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


def _gid(text: str, accounts: Accounts) -> int | None:
    number = _number(text)
    return number if isinstance(number, int) else accounts.gid(number)
