"""Changes as they work where they are read, and what is to be known of them before they are made."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from harness.live.lasting import lasting
from harness.live.listener import holders
from harness.live.outside import outside_path
from harness.live.process import in_login, unit_of
from harness.live.unit_directories import lasting_modes, set_again
from harness.live.unit_files import UnitError, read_unit
from harness.oracle import Change, decide, linux, quoted, with_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.live.actor import Actor
    from harness.live.components import Component
    from harness.live.listener import Holder
    from harness.live.scene import Scene
    from harness.live.unit_files import UnitFiles
    from harness.oracle import Decision
    from harness.world import World

MASTERS: Final[Mapping[str, str]] = {
    "containerd": "containerd",
    "docker": "dockerd",
    "incus-admin": "incusd",
    "libvirt": "libvirtd",
    "lxd": "lxd",
    "podman": "podman",
    "sudo": "sudo",
    "wheel": "sudo",
    "disk": "the disks themselves",
}
"""Groups whose members are as good as root, and by what: it does for them whatever they tell it to."""

CHECKING: Final = ("dbus-broker", "dbus-daemon", "gpg-agent", "mysqld", "mariadbd", "postgres", "ssh-agent", "tmux")
"""Servers that look at the peer's uid themselves, by the beginning of their names."""

_OF_A_FILE: Final = frozenset({"acl", "chgrp", "chmod", "chown"})
_JOIN: Final = re.compile(r"usermod -aG (\S+) \S+")
_PROGRAMS: Final = (
    *("chattr -", "chgrp ", "chmod ", "chown ", "mount -o ", "nsenter ", "rm ", "setfacl ", "setpriv ", "systemctl "),
    *("umount ", "usermod "),
)
"""How a change begins that is a command."""
_LOGIN: Final = "log in again"


@dataclass(frozen=True, slots=True)
class Advice:
    """What would help, best first, and sentences on it. `holders` are the processes that have the socket."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    holders: tuple[Holder, ...] = ()


def after_login(actor: Actor) -> tuple[int, ...] | None:
    """The groups that a new login would have, if the running process lacks any of them."""
    if actor.database is None or actor.principal.uid == 0 or actor.entering or actor.stopped_unit:
        return None
    fresh = {*actor.database.groups, actor.database.gid}
    now = {*actor.principal.groups, actor.principal.gid}
    return tuple(sorted(fresh | now - {actor.principal.gid})) if fresh - now else None


def lacking(actor: Actor, fresh: Sequence[int]) -> tuple[str, ...]:
    """The names of the groups of a new login that a process lacks."""
    now = {*actor.principal.groups, actor.principal.gid}
    return tuple(f"{actor.accounts.group(gid) or 'gid'} ({gid})" for gid in fresh if gid not in now)


def renewals(actor: Actor, fresh: Sequence[int]) -> tuple[str, ...]:
    """How a process comes by the groups that the user database has for it since it was started."""
    groups = lacking(actor, fresh)
    then = f"  # with the group {', '.join(groups)} the answer is ok"
    unit = unit_of(actor.pid)
    if unit is not None:
        return (f"systemctl restart {quoted(unit)}{then}",)
    mine = actor.root == "/" and os.geteuid() != 0 and os.getuid() == actor.principal.uid
    if mine and len(groups) == 1 and not groups[0].startswith("gid "):
        return (f"sg {quoted(groups[0].rpartition(' ')[0])} -c COMMAND{then}, as it is after a new login",)
    if actor.root != "/" or os.geteuid() != 0 or in_login(actor.pid):
        return (f"log in again, or restart it: with the group {', '.join(groups)} the answer is ok",)
    return (f"runuser -u {quoted(actor.name)} -- COMMAND{then}",)


def advise(actor: Actor, scene: Scene, decision: Decision, renewed: Sequence[str]) -> Advice:
    """The decision's changes, and what they take."""
    held = () if scene.listener is None or scene.listener.inode is None else holders(scene.listener.inode)
    if decision.outcome == "ok":
        return Advice(notes=tuple(_own_checks(actor, held)), holders=held)
    changes = decision.changes if actor.root == "/" else _numbered(scene, decision)
    if renewed:
        changes = tuple(change for change in changes if "membership" not in change.what)
    changes = tuple(
        change for change in changes if not (_asks_for_unknown_lists(change, scene) or _joins_nothing(change, actor))
    )
    stopped = None if actor.stopped_unit is None else actor.stopped_unit.files
    if stopped is not None:
        changes = _without_what_a_start_undoes(stopped, changes, decision)
    spoken = tuple(_spoken(change, actor, scene) for change in changes)
    spoken = tuple({change.text: change for change in spoken}.values())
    return Advice(spoken, tuple(_notes(actor, scene, changes, held)), held)


def _without_what_a_start_undoes(files: UnitFiles, changes: Sequence[Change], decision: Decision) -> tuple[Change, ...]:
    """The changes but for those of directories that the service gets when it is started: their modes are its own."""
    own = {one.path: one for one in set_again(files)}
    kept = [change for change in changes if not any(_touches(change, path) for path in own)]
    one = own.get(decision.at)
    if one is not None and decision.needs:
        shift = {"owner": 6, "group": 3}.get(decision.applied or "", 0)
        mode = one.mode | sum({"r": 4, "w": 2, "x": 1}[letter] for letter in decision.needs) << shift
        text = f"systemctl edit {quoted(files.name)}  # {one.option}Mode={mode:04o} in [Service]; and restart it"
        kept.insert(0, Change("elsewhere", None, text, 0))
    return tuple(kept)


def _touches(change: Change, path: str) -> bool:
    """Whether one of a change's commands is about a path itself."""
    return any(part.endswith(f" {quoted(path)}") for part in parted(change.text)[0].split(" && "))


def _services(actor: Actor, held: Sequence[Holder]) -> Iterator[UnitFiles]:
    """The service that asks, and those that have the socket."""
    if actor.root != "/":
        return
    if actor.unit is not None and actor.unit.files is not None:
        yield actor.unit.files
    for name in {unit for one in held if (unit := unit_of(one.pid)) is not None}:
        with contextlib.suppress(UnitError):
            yield read_unit(name)


def _own_checks(actor: Actor, held: Sequence[Holder]) -> Iterator[str]:
    """What a server may do behind an open door."""
    for one in held:
        if one.name.startswith(CHECKING) and one.uid != actor.principal.uid:
            yield f"{one.name} looks at who connects, and may refuse by itself whom the kernel lets in"
            return


def _numbered(scene: Scene, decision: Decision) -> tuple[Change, ...]:
    """The changes with numbers for names, which exist only in the place of who asks."""
    if not decision.changes or decision.changes[0].what == "elsewhere":
        return decision.changes
    world, subject = _without_names(scene.world, scene.attempt.user)
    again = decide(world, replace(scene.attempt, user=subject), linux(world.sysctls))
    return again.changes if (again.outcome, again.at) == (decision.outcome, decision.at) else decision.changes


def _without_names(world: World, subject: str) -> tuple[World, str]:
    groups = {f"gid-{gid}": gid for gid in world.groups.values()}
    users = tuple(
        replace(
            user,
            name="root" if user.uid == 0 else f"uid-{user.uid}",
            gid=world.gid(user.gid),
            groups=tuple(map(world.gid, user.groups)),
        )
        for user in world.users
    )
    nodes = tuple(
        replace(
            node,
            owner=world.uid(node.owner),
            group=world.gid(node.group),
            acl=tuple(
                entry
                if entry.who is None
                else replace(entry, who=world.gid(entry.who) if entry.tag == "group" else world.uid(entry.who))
                for entry in node.acl
            ),
        )
        for node in world.nodes
    )
    uid = world.user(subject).uid
    kept = {user.name: user for user in users}
    return replace(world, groups=groups, users=tuple(kept.values()), nodes=nodes), "root" if uid == 0 else f"uid-{uid}"


def _asks_for_unknown_lists(change: Change, scene: Scene) -> bool:
    """Whether a change is to set an access control list where the file system knows none."""
    bare = [path for path, one in scene.components.items() if one.acl is None]
    return any(
        part.startswith("setfacl ") and part.endswith(f" {quoted(path)}")
        for part in change.text.split(" && ")
        for path in bare
    )


def parted(text: str) -> tuple[str, list[str]]:
    """A change's commands, and what it says that is none.

    >>> parted("chmod o+x /srv  # and log in again"), parted("start the server")
    (('chmod o+x /srv', ['log in again']), ('', ['start the server']))
    """
    commands, _, comment = text.partition("  # ")
    if not commands.startswith(_PROGRAMS):
        return "", [text]
    return commands, [word for word in comment.removeprefix("and ").split("; and ") if word]


def _group(joins: re.Match[str], actor: Actor) -> str | None:
    """The name that a group has here, None where it has none."""
    group = joins[1].removeprefix("gid-")
    return actor.accounts.group(int(group)) if group.isdecimal() else group


def _joins_nothing(change: Change, actor: Actor) -> bool:
    """Whether a change is to join a group that has no name: usermod knows none such."""
    joins = _JOIN.search(change.text)
    return joins is not None and _is_an_account(actor) and _group(joins, actor) is None


def _is_an_account(actor: Actor) -> bool:
    """Whether usermod may be told to let somebody join a group."""
    return actor.container is None and actor.database is not None and actor.root == "/"


def _spoken(change: Change, actor: Actor, scene: Scene) -> Change:
    """A change as a command that works here, for who reads it here; what is no command stands behind it."""
    if change.what == "elsewhere":
        return change
    text, words = parted(change.text)
    joins = _JOIN.search(text)
    name = None if joins is None else _group(joins, actor)
    master = MASTERS.get(name or "")
    if joins is not None:
        text, more = _joined(text, joins, actor, scene)
        words = [*more, *(word for word in words if word != _LOGIN)]
    if actor.root != "/":
        text = " && ".join(_from_outside(part, actor, scene) for part in text.split(" && "))
    text = with_words(text, words)
    if master is not None:
        text += f"{';' if '  # ' in text else '  #'} members of {name} are as good as root ({master})"
    return replace(change, text=re.sub(r"\b[ug]id-(\d+)\b", r"\1", text))


def _joined(text: str, joins: re.Match[str], actor: Actor, scene: Scene) -> tuple[str, list[str]]:
    """The commands by which this actor comes by a group, with those for what else the change takes; and words."""
    gid = scene.world.groups.get(joins[1], joins[1].removeprefix("gid-"))
    rest = text.replace(joins[0], "").removeprefix(" && ").removesuffix(" && ").replace(" &&  && ", " && ")
    if actor.container is not None:
        return rest, [f"start the container again with --group-add {gid}"]
    if not _is_an_account(actor):
        held = actor.principal
        groups = ",".join(map(str, (*held.groups, gid)))
        way = f"setpriv --reuid {held.uid} --regid {held.gid} --groups {groups} COMMAND"
        return f"{rest} && {way}" if rest else way, []
    named = text.replace(joins[0], f"usermod -aG {quoted(_group(joins, actor) or str(gid))} {quoted(actor.name)}")
    if actor.stopped_unit is not None:
        return named, ["start it, when that counts"]
    if actor.process is None or in_login(actor.pid):
        return named, [_LOGIN]
    unit = unit_of(actor.pid)
    if unit is not None:
        return f"{named} && systemctl restart {quoted(unit)}", []
    return named, [f"start it again with its groups: runuser -u {quoted(actor.name)} -- COMMAND"]


def _from_outside(part: str, actor: Actor, scene: Scene) -> str:
    """One command with the path by which its thing is found from here, or in the mounts that it is about."""
    for path in scene.components:
        word = quoted(path)
        if part.startswith("mount ") and part.endswith(f" {word}"):
            return f"nsenter --target {actor.pid} --mount {part}"
        if part.endswith(f" {word}"):
            return part.removesuffix(word) + quoted(
                outside_path(scene.components[path], scene.mounts.get(path), actor.root)
            )
    return part


def _is_a_servers_own(directory: Component) -> bool:
    """Whether a directory is no common one, so that rules for all that is made in it are rules for one server."""
    common = directory.status.st_mode & (stat.S_ISVTX | stat.S_IWOTH) or directory.path in {"/run", "/var/run"}
    return directory.acl is not None and not common


def _notes(actor: Actor, scene: Scene, changes: Sequence[Change], held: Sequence[Holder]) -> Iterator[str]:
    services = tuple(_services(actor, held))
    for path, one in scene.components.items():
        if any(_touches(change, path) for change in changes if _OF_A_FILE & set(change.what.split(" and "))):
            for name, own in lasting_modes(services, path):
                yield (
                    f"a change of {path} is lost when {name} is started again ({own.option}=); what lasts: "
                    f"{own.option}Mode= by systemctl edit {quoted(name)}"
                )
                break
        touched = [change for change in changes if f" {quoted(path)}" in change.text]
        kinds = {kind for change in touched for kind in change.what.split(" and ")}
        if one.kind == "socket" and kinds & _OF_A_FILE:
            here = actor.root == "/"
            there = path if here else outside_path(one, scene.mounts.get(path), actor.root)
            directory = scene.components.get(posixpath.dirname(path))
            lists = here and directory is not None and _is_a_servers_own(directory)
            yield (
                f"a change of {there} itself is lost when its server binds again; what lasts: "
                f"{lasting(held, posixpath.dirname(there), scene.attempt.user, lists=lists)}"
            )
        unit = unit_of(actor.pid) if "remount" in kinds and actor.process is not None else None
        if unit is not None:
            yield f"that ends with the unit; what lasts: ReadWritePaths={path} by systemctl edit {quoted(unit)}"
    for holder in held:
        if holder.name in MASTERS.values():
            yield f"{holder.name} does whatever it is told to: who may connect to it is as good as root"
            return
