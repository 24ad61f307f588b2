"""The smallest changes that would turn a refusal, those that let in the fewest others first.

Nothing is claimed that was not tried: a change is applied to a copy of the file system (or of the principal), and
the attempt is run again by the same rules. If something else refuses then, that is changed too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.oracle.decision import Change
from harness.oracle.evaluation import run
from harness.oracle.filesystem import Acl, FileSystem
from harness.oracle.lookup import STICKY, Lookup, Refused
from harness.oracle.permission import member, permission
from harness.oracle.reasons import FLAG_LETTERS, letters, mounted_again, mounted_anew, quoted
from harness.world import ROOT, Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.oracle.filesystem import Inode, Spot
    from harness.oracle.reasons import Names
    from harness.oracle.rules import Layer, Rules
    from harness.oracle.steps import Trial
    from harness.world import Attempt, SocketState, World

SHOWN = 5
"""How many changes are named."""
RUNS = 200
"""How often the attempt is run again in search of changes."""
OBSTACLES = 4
"""How many refusals in a row are looked through."""
STRANGER = Principal(uid=2**32 - 3, gid=2**32 - 3)
"""Somebody of whom the world knows nothing: ids that nobody has."""
_IN_WORDS = frozenset({"allow_other", "confinement", "listen", "login", "mount", "path", "queue", "type"})
"""Kinds of changes that a person makes otherwise than by one command."""


@dataclass(frozen=True, slots=True)
class _Edit:
    """One small change: what it is for a person, and what it makes of the situation."""

    what: str
    path: str | None
    text: str
    system: FileSystem
    principal: Principal
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class _Situation:
    """A file system and a principal after some changes, and what refuses then."""

    edits: tuple[_Edit, ...]
    trial: Trial
    refused: Refused


def remedies(system: FileSystem, world: World, attempt: Attempt, rules: Rules, names: Names) -> tuple[Change, ...]:
    """Up to `SHOWN` changes, each of which alone turns the refusal of an attempt into a success."""
    principal = world.principal(attempt.user)
    trial, refused = run(system, principal, attempt, rules)
    if refused is None:
        return ()
    solved: list[tuple[_Edit, ...]] = []
    runs = 0
    situations = [_Situation((), trial, refused)]
    asker = _Asker(attempt.user, names.users.get(principal.uid, attempt.user), _sessions(world, attempt.user))
    while situations:
        situation = situations.pop(0)
        for edit in _candidates(situation, asker, names):
            runs += 1
            edits = (*situation.edits, edit)
            after, still = run(edit.system, edit.principal, edit.attempt, rules)
            if still is None:
                solved.append(edits)
            elif len(edits) < OBSTACLES and not _same(still, situation.refused):
                situations.append(_Situation(edits, after, still))
        if runs > RUNS:
            break
    ranked = sorted(
        (_widening(system, world, attempt, rules, edits), len(edits), number, edits)
        for number, edits in enumerate(solved)
    )
    return tuple(_change(edits, widening) for widening, _, _, edits in ranked[:SHOWN])


@dataclass(frozen=True, slots=True)
class _Asker:
    """Who is refused: as the world calls them, and their account.

    Of the world's users with one uid the first is the account and the others are its sessions, for which no command
    changes anything. `groups` are those of the account and its other sessions, which a new login may have.
    """

    label: str
    account: str
    groups: frozenset[int]


def _sessions(world: World, label: str) -> frozenset[int]:
    """The groups of all other users of a world with the same uid."""
    uid = world.principal(label).uid
    others = (world.principal(user.name) for user in world.users if user.name != label and user.uid == uid)
    return frozenset(gid for other in others for gid in (other.gid, *other.groups))


def _same(one: Refused, other: Refused) -> bool:
    return (one.outcome, one.at, one.answer) == (other.outcome, other.at, other.answer)


@dataclass(frozen=True, slots=True, order=True)
class _Widening:
    """Who gains access by a change: of those whom the world names, somebody unknown, members of how many groups.

    `names` and `opens` tell of the permissions alone: who, and whether everybody.
    """

    users: int
    strangers: bool
    groups: int
    names: tuple[str, ...] = field(compare=False)
    opens: bool = field(compare=False)

    @property
    def admits(self) -> tuple[str, ...]:
        """In words."""
        return ("everybody",) if self.opens else self.names


def _change(edits: tuple[_Edit, ...], widening: _Widening) -> Change:
    edits = tuple(sorted(edits, key=lambda edit: edit.what != "remount"))  # before what changes something there
    kinds = list(dict.fromkeys(edit.what for edit in edits))
    kept = _without_repeats(edits)
    words = [edit.text for edit in kept if edit.what in _IN_WORDS]
    words += ["log in again"] if "membership" in kinds else []
    return Change(
        what=kinds[0] if len(kinds) == 1 else " and ".join(kinds),
        path=next((edit.path for edit in edits if edit.path is not None), None),
        text=with_words(" && ".join(edit.text for edit in kept if edit.what not in _IN_WORDS), words),
        widens=widening.users,
        admits=widening.admits,
    )


def with_words(commands: str, words: Sequence[str]) -> str:
    """Commands, and behind them as a comment of the shell what is no command; without commands that by itself.

    >>> with_words("chmod o+x /srv", ["log in again"]), with_words("", ["start it", "wait"])
    ('chmod o+x /srv  # and log in again', 'start it; and wait')
    """
    told = "; and ".join(words)
    to_enter = "" if commands.startswith("systemctl edit ") else "and "  # what is to be entered there comes first
    return f"{commands}  # {to_enter}{told}" if commands and told else commands or told


def _without_repeats(edits: tuple[_Edit, ...]) -> list[_Edit]:
    """The edits but for ACL entries that a later one on the same path contains."""
    last = {(edit.what, edit.path): number for number, edit in enumerate(edits)}
    return [edit for number, edit in enumerate(edits) if edit.what != "acl" or last[edit.what, edit.path] == number]


def _widening(before: FileSystem, world: World, attempt: Attempt, rules: Rules, edits: tuple[_Edit, ...]) -> _Widening:
    """How many others gain access; whether somebody unknown does, and one who shares a group."""
    if all(edit.what in {"path", "network"} for edit in edits):
        return _Widening(0, strangers=False, groups=0, names=(), opens=False)  # the asker goes elsewhere
    after = edits[-1].system
    tried = edits[-1].attempt

    def gains(principal: Principal, then: FileSystem = before) -> bool:
        had = run(then, principal, attempt, rules)[1] is None
        return not had and run(after, principal, tried, rules)[1] is None

    own = {edits[-1].principal, world.principal(attempt.user)}
    others = {user.name: world.principal(user.name) for user in world.users if user.name != attempt.user}
    users = {principal for principal in others.values() if principal not in own and gains(principal)}
    members = {name: dataclasses.replace(STRANGER, groups=(gid,)) for name, gid in sorted(world.groups.items())[:32]}
    groups = [name for name, member in members.items() if gains(member)]
    # By the permissions alone: who had to wait for the server alone is let in by nothing else.
    served = _served(before) if any(edit.what in {"listen", "queue"} for edit in edits) else before
    names = [name for name, principal in others.items() if principal in users and gains(principal, served)]
    mine = world.principal(attempt.user)
    private = (mine.gid,) if mine.gid == mine.uid else None  # a group of the user alone, as most systems have them
    names += [
        f"all of the group {name}"
        for name in groups
        if members[name].groups != private and gains(members[name], served)
    ]
    return _Widening(len(users), gains(STRANGER), len(groups), tuple(names), gains(STRANGER, served))


def _served(system: FileSystem) -> FileSystem:
    """The file system with a listener behind every socket."""
    for number, inode in system.inodes.items():
        if inode.kind == "socket":
            system = system.with_inode(number, dataclasses.replace(inode, state="listening"))
    listening: SocketState = "listening"
    return dataclasses.replace(
        system,
        abstract=dict.fromkeys(system.abstract, listening),
        through=dict.fromkeys(system.through, listening),
    )


_RELEASES: Mapping[Layer, str] = {
    "seccomp": "without that filter, or let it allow the call (RestrictAddressFamilies=, SystemCallFilter= of a unit)",
    "Landlock": "outside of that domain",
    "AppArmor": "without that profile, or let it have the rule",
    "SELinux": "outside of that domain, or have the policy allow it",
}
"""How somebody comes out of what holds them."""


def _candidates(situation: _Situation, asker: _Asker, names: Names) -> Iterator[_Edit]:
    refused = situation.refused
    if refused.layer is not None and refused.layer in _RELEASES:
        free = dataclasses.replace(situation.trial.principal, confined=None)
        yield _edit(situation, "confinement", None, f"run {asker.label} {_RELEASES[refused.layer]}", principal=free)
    elif refused.layer == "inode flags":
        yield _without_flags(situation)
    elif refused.answer is not None and refused.spot is not None:
        yield from _permissions(situation, refused.spot, asker, names)
    elif refused.outcome in _OTHERS:
        yield from _OTHERS[refused.outcome](situation, asker.account)


def _edit(
    situation: _Situation,
    what: str,
    path: str | None,
    text: str,
    *,
    system: FileSystem | None = None,
    principal: Principal | None = None,
    attempt: Attempt | None = None,
) -> _Edit:
    trial = situation.trial
    return _Edit(
        what=what,
        path=path,
        text=text,
        system=system or trial.lookup.system,
        principal=principal or trial.principal,
        attempt=attempt or trial.attempt,
    )


def _permissions(situation: _Situation, spot: Spot, asker: _Asker, names: Names) -> Iterator[_Edit]:
    """Membership in a group that has the bits, an ACL entry, another group for the thing, more bits for the class.

    Nobody is told to join gid 0, to which half the system belongs, nor a group without a name, which no command knows.
    """
    trial, refused = situation.trial, situation.refused
    answer = refused.answer
    assert answer is not None
    system, number, path = trial.lookup.system, spot.inode, quoted(refused.at)
    inode = system.shown(spot)
    applied = answer.entitlement.applied
    missing = answer.wanted & ~answer.entitlement.bits
    principal = trial.principal
    if applied != "owner":
        named = () if inode.acl is None else tuple(gid for gid, _ in inode.acl.groups)
        for gid in dict.fromkeys((inode.gid, *named)):
            joined = dataclasses.replace(principal, groups=tuple(sorted({*principal.groups, gid})))
            if (
                gid != 0
                and gid in names.groups
                and not member(principal, gid)
                and permission(joined, inode, answer.wanted, trial.rules).granted
            ):
                name = names.groups[gid]
                joining = trial.rules.joining.format(group=name, user=asker.account)
                again = f"log in again: another session of uid {principal.uid} has the group {name} already"
                what, text = ("login", again) if gid in asker.groups else ("membership", joining)
                yield _edit(situation, what, None, text, principal=joined)
        if "acl" in trial.rules.classes and system.fuse(spot) is None:
            entry, acl_inode = _with_entry(inode, principal.uid, answer.wanted)
            text = f"setfacl -m u:{names.users.get(principal.uid, str(principal.uid))}:{entry} {path}"
            yield _edit(situation, "acl", refused.at, text, system=system.with_inode(number, acl_inode))
        for gid in (principal.gid, *principal.groups):
            given = dataclasses.replace(system.inodes[number], gid=gid)
            if gid != inode.gid and permission(principal, given, answer.wanted, trial.rules).granted:
                text = f"chgrp {names.groups.get(gid, str(gid))} {path}"
                yield _edit(situation, "chgrp", refused.at, text, system=system.with_inode(number, given))
    who, shift = {"owner": ("u", 6), "group": ("g", 3), "other": ("o", 0)}.get(applied, ("", 0))
    if who:
        wider = dataclasses.replace(system.inodes[number], mode=inode.mode | missing << shift)
        if who == "g" and inode.acl is not None:
            group = inode.acl.owning_group | missing
            wider = dataclasses.replace(wider, acl=dataclasses.replace(inode.acl, owning_group=group))
            text = f"setfacl -m g::{letters(group) or '-'} {path}"
        else:
            text = f"chmod {who}+{letters(missing)} {path}"
        yield _edit(situation, "chmod", refused.at, text, system=system.with_inode(number, wider))


def _with_entry(inode: Inode, uid: int, wanted: int) -> tuple[str, Inode]:
    """The letters of an entry for a user, and the inode with it, its mask as setfacl(1) computes that."""
    acl = inode.acl or Acl((), (), inode.mode >> 3 & 7)
    had = dict(acl.users).get(uid, 0)
    users = tuple(sorted({**dict(acl.users), uid: had | wanted}.items()))
    mask = acl.owning_group
    for _, bits in (*users, *acl.groups):
        mask |= bits
    mode = inode.mode & ~0o070 | mask << 3
    return letters(had | wanted), dataclasses.replace(inode, mode=mode, acl=Acl(users, acl.groups, acl.owning_group))


def _refused_connection(situation: _Situation, user: str) -> Iterator[_Edit]:
    """Nobody listens: whoever owns the socket must. Or somebody does, on another way to the file, or elsewhere."""
    del user
    trial, at = situation.trial, situation.refused.at
    if trial.found is None:
        yield from _other_networks(situation)
    elif trial.inode.kind == "socket":
        system, mount = trial.lookup.system, trial.lookup.system.mounts[trial.spot.mount]
        if mount.fuse is not None:
            source = f"{mount.source}/{trial.spot.below_mount}"
            attempt = dataclasses.replace(trial.attempt, path=source, cwd=None, root=None)
            yield _edit(situation, "path", None, f"connect to {quoted(source)}", attempt=attempt)
        elif trial.inode.deleted and mount.source is not None:
            yield from _mounted_again(situation, mount.source)
        system = system.with_state(trial.spot, "listening")
        yield _edit(situation, "listen", at, f"start the server that listens on {at}", system=system)


def _mounted_again(situation: _Situation, source: str) -> Iterator[_Edit]:
    """What was mounted has been replaced by another file."""
    trial, at = situation.trial, situation.refused.at
    system, number = trial.lookup.system, trial.spot.mount
    try:
        root = Lookup(system, ROOT, trial.rules, system.root()).to(source, follow=True).inode
    except Refused:
        return
    anew = dataclasses.replace(system.mounts[number], root=root)
    yield _edit(situation, "mount", at, mounted_anew(at), system=system.with_mount(number, anew))


def _other_networks(situation: _Situation) -> Iterator[_Edit]:
    """The abstract name may be held in another network namespace."""
    trial, attempt = situation.trial, situation.trial.attempt
    for name, kind, network in trial.lookup.system.abstract:
        if (name, kind) == (attempt.path, attempt.type) and network is not None:
            text = f"nsenter --net=/run/netns/{network} COMMAND"
            yield _edit(situation, "network", None, text, attempt=dataclasses.replace(attempt, network=network))


def _full_queue(situation: _Situation, user: str) -> Iterator[_Edit]:
    """The server must accept."""
    del user
    trial, at = situation.trial, situation.refused.at
    system = trial.lookup.system
    if trial.found is None:
        key = (trial.attempt.path, trial.attempt.type, trial.attempt.network)
        system = dataclasses.replace(system, abstract={**system.abstract, key: "listening"})
    else:
        system = system.with_state(trial.spot, "listening")
    text = "look why its server accepts nobody, or restart it with a longer backlog"
    yield _edit(situation, "queue", at, text, system=system)


def _closed_mount(situation: _Situation) -> Iterator[_Edit]:
    """A FUSE mount without allow_other."""
    system, spot = situation.trial.lookup.system, situation.refused.spot
    fuse = None if spot is None else system.fuse(spot)
    if spot is None or fuse is None:
        return
    opened = dataclasses.replace(system.mounts[spot.mount], fuse=dataclasses.replace(fuse, allow_other=True))
    system = system.with_mount(spot.mount, opened)
    yield _edit(situation, "allow_other", None, mounted_again(situation.refused.at), system=system)


def _wrong_type(situation: _Situation, user: str) -> Iterator[_Edit]:
    del user
    trial = situation.trial
    kind = trial.inode.type
    text = f"connect with a {kind} socket"
    yield _edit(situation, "type", None, text, attempt=dataclasses.replace(trial.attempt, type=kind))


def _name_taken(situation: _Situation, user: str) -> Iterator[_Edit]:
    """The name must go first; root, or whoever may, removes it."""
    del user
    trial, at = situation.trial, situation.refused.at
    if trial.ending is None or trial.ending.sort != "name":
        return
    number = trial.entry(trial.ending)
    if number is not None and trial.lookup.system.inodes[number].kind != "directory":
        system = trial.lookup.system.without_entry(trial.ending.directory, trial.ending.name)
        yield _edit(situation, "unlink", at, f"rm {quoted(at)}", system=system)


def _without_flags(situation: _Situation) -> _Edit:
    """The thing loses the flags that refuse this to everybody."""
    at, spot, system = situation.refused.at, situation.refused.spot, situation.trial.lookup.system
    assert spot is not None
    inode = system.inodes[spot.inode]
    letters_of = "".join(FLAG_LETTERS[flag] for flag in inode.flags)
    free = system.with_inode(spot.inode, dataclasses.replace(inode, flags=()))
    return _edit(situation, "chattr", at, f"chattr -{letters_of} {quoted(at)}", system=free)


def _not_owned(situation: _Situation, user: str) -> Iterator[_Edit]:
    """The thing becomes the user's own, or its directory stops being sticky."""
    trial, at = situation.trial, situation.refused.at
    system = trial.lookup.system
    for ending in (trial.ending, trial.second):
        number = None if ending is None else trial.entry(ending)
        if ending is None or number is None or ending.path != at:
            continue
        yield _owned(situation, number, user)
        directory = system.inodes[ending.directory.inode]
        path = quoted(ending.directory.path)
        loose = system.with_inode(ending.directory.inode, dataclasses.replace(directory, mode=directory.mode & ~STICKY))
        yield _edit(situation, "chmod", ending.directory.path, f"chmod -t {path}", system=loose)
    if trial.found is not None:
        yield _owned(situation, trial.found.inode, user)


def _owned(situation: _Situation, number: int, user: str) -> _Edit:
    trial, at = situation.trial, situation.refused.at
    inode = dataclasses.replace(trial.lookup.system.inodes[number], uid=trial.principal.uid)
    option = "-h " if inode.kind == "symlink" else ""
    text = f"chown {option}{user} {quoted(at)}"
    return _edit(situation, "chown", at, text, system=trial.lookup.system.with_inode(number, inode))


def _noexec(situation: _Situation, spot: Spot) -> _Edit:
    """The mount runs programs."""
    top = _mount_point(spot)
    system = situation.trial.lookup.system
    system = system.with_mount(spot.mount, dataclasses.replace(system.mounts[spot.mount], no_execution=False))
    return _edit(situation, "remount", top.path, f"mount -o remount,bind,exec {quoted(top.path)}", system=system)


def _mount_point(spot: Spot) -> Spot:
    while spot.above is not None and spot.above.mount == spot.mount:
        spot = spot.above
    return spot


def _without_bits(situation: _Situation, user: str) -> Iterator[_Edit]:
    """What refuses with EACCES for another reason than missing bits: a FUSE or noexec mount, or fs.protected_*."""
    spot = situation.refused.spot
    system = situation.trial.lookup.system
    if spot is not None and system.inodes[spot.inode].kind != "directory":
        yield _owned(situation, spot.inode, user)
        if system.runs_nothing(spot):
            yield _noexec(situation, spot)
    yield from _closed_mount(situation)


def _read_only(situation: _Situation, user: str) -> Iterator[_Edit]:
    del user
    trial = situation.trial
    spot: Spot | None = trial.found if trial.ending is None else trial.ending.directory
    assert spot is not None
    top = _mount_point(spot)
    system = trial.lookup.system
    system = system.with_mount(spot.mount, dataclasses.replace(system.mounts[spot.mount], read_only=False))
    text = f"mount -o remount,bind,rw {quoted(top.path)}"
    yield _edit(situation, "remount", top.path, text, system=system)


_OTHERS: Mapping[str, Callable[[_Situation, str], Iterator[_Edit]]] = {
    "EACCES": _without_bits,
    "EAGAIN": _full_queue,
    "ECONNREFUSED": _refused_connection,
    "EPROTOTYPE": _wrong_type,
    "EADDRINUSE": _name_taken,
    "EPERM": _not_owned,
    "EROFS": _read_only,
}
"""What may help against refusals that are no lack of permission bits. The rest are the caller's own mistakes."""
