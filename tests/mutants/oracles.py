"""Oracles with one rule wrong each. A search that does not find every one of them is no search.

Most are other data: another order of steps, a step left out, another number. The rest replace one function.
"""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from unittest import mock

from harness.oracle import lookup, permission, predict, steps
from harness.oracle.filesystem import FileSystem, Spot
from harness.oracle.lookup import Refused
from harness.oracle.permission import Entitlement, Permission
from harness.oracle.rules import Override
from harness.oracle.steps import confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.oracle import Decision, Rules
    from harness.oracle.filesystem import Inode
    from harness.oracle.rules import Procedure, StepName
    from harness.oracle.steps import Trial
    from harness.world import Attempt, Principal, SocketState, World


@dataclass(frozen=True)
class WrongOracle:
    """`name` says what it gets wrong; `rules` changes the data; `patches` are (owner, name, value to stand there).

    `by_fuse`: it shows in worlds with FUSE mounts alone.
    """

    name: str
    rules: Callable[[Rules], Rules] = lambda rules: rules
    patches: tuple[tuple[object, str, object], ...] = ()
    by_fuse: bool = False

    def __call__(self, world: World, attempts: Sequence[Attempt], rules: Rules) -> list[Decision]:
        """What it says instead of `harness.oracle.predict`."""
        with contextlib.ExitStack() as stack:
            for owner, name, value in self.patches:
                patch = mock.patch.dict(owner, {name: value}) if isinstance(owner, dict) else None
                stack.enter_context(patch or mock.patch.object(owner, name, value))
            return predict(world, attempts, self.rules(rules))


def _with(**changes: object) -> Callable[[Rules], Rules]:
    return lambda rules: dataclasses.replace(rules, **changes)  # type: ignore[arg-type]


def _without(operation: Procedure, step: StepName) -> Callable[[Rules], Rules]:
    def change(rules: Rules) -> Rules:
        names: list[StepName] = [name for name in rules.steps[operation] if name != step]
        return _steps(rules, operation, tuple(names))

    return change


def _before(operation: Procedure, early: StepName, late: StepName) -> Callable[[Rules], Rules]:
    """The step `early` is made just before `late`, which it should follow."""

    def change(rules: Rules) -> Rules:
        names: list[StepName] = [name for name in rules.steps[operation] if name != early]
        names.insert(names.index(late), early)
        return _steps(rules, operation, tuple(names))

    return change


def _steps(rules: Rules, operation: Procedure, steps: tuple[StepName, ...]) -> Rules:
    assert steps != rules.steps[operation]
    return dataclasses.replace(rules, steps=MappingProxyType({**rules.steps, operation: steps}))


def _behind_links(rules: Rules) -> Rules:
    steps: list[StepName] = ["parent_behind_links" if step == "parent" else step for step in rules.steps["bind"]]
    return _steps(rules, "bind", tuple(steps))


def _reads_and_writes(trial: Trial) -> None:
    trial.want(trial.spot, permission.READ | permission.WRITE)


def _only_the_gid(principal: Principal, gid: int) -> bool:
    return principal.gid == gid


def _root_is_almighty(principal: Principal, capability: str, rules: Rules) -> bool:
    del rules
    return principal.uid == 0 or capability in (principal.capabilities or ())


def _without_mask(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Entitlement | None:
    if inode.acl is None:
        return None
    whole = dataclasses.replace(inode, mode=inode.mode | 0o070)
    masked = permission._acl(principal, inode, wanted, rules)
    return masked and permission._acl(principal, whole, wanted, rules)


def _first_group_settles_it(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Entitlement | None:
    del wanted  # the first group has all of nothing
    return permission._acl(principal, inode, 0, rules)


def _any_class_will_do(principal: Principal, inode: Inode, wanted: int, rules: Rules) -> Entitlement:
    found = [rule(principal, inode, wanted, rules) for rule in permission.CLASSES.values()]
    bits = 0
    for entitlement in filter(None, found):
        bits |= entitlement.bits
    return Entitlement("other", bits, None)


def _reading_is_enough(self: lookup.Lookup, directory: object) -> None:
    inode = self.system.inodes[directory.inode]  # type: ignore[attr-defined]
    answer: Permission = permission.permission(self.principal, inode, permission.READ, self.rules)
    if not answer.granted:
        raise Refused("EACCES", directory.path, "", answer, directory)  # type: ignore[attr-defined, arg-type]


def _missing_names_first(self: lookup.Lookup, directory: object) -> None:
    del self, directory


def _open_to_all(self: lookup.Lookup, spot: Spot) -> None:
    del self, spot


def _open_to_root(self: lookup.Lookup, spot: Spot) -> None:
    if self.principal.uid != 0:
        ENTER(self, spot)


def _with_its_acl(self: FileSystem, spot: Spot) -> Inode:
    return self.inodes[spot.inode]


def _whatever_shows_it(self: FileSystem, spot: Spot) -> SocketState:
    return self.inodes[spot.inode].state


def _in_any_network(trial: Trial) -> str | None:
    wanted = (trial.attempt.path, trial.attempt.type)
    return next((state for (*name, _), state in trial.system.abstract.items() if tuple(name) == wanted), None)


def _from_the_machines_root(self: lookup.Lookup, path: str, start: Spot) -> tuple[Spot, list[str], bool]:
    found, names, slash = BEGIN(self, path, start)
    return self.system.root() if path.startswith("/") else found, names, slash


def _out_of_the_root(self: lookup.Lookup, directory: Spot, name: str) -> Spot:
    return directory.above or directory if name == ".." else STEP(self, directory, name)


ENTER, BEGIN, STEP = lookup.Lookup.enter, lookup.Lookup.begin, lookup.Lookup.step
SEARCH_ONLY = (
    Override("CAP_DAC_OVERRIDE", "directory", 7),
    Override("CAP_DAC_OVERRIDE", "other", 7),
    Override("CAP_DAC_OVERRIDE", "other without x", 6),
)

WRONG = (
    WrongOracle("the group class comes before the owner", _with(classes=("group", "owner", "acl", "other"))),
    WrongOracle("the owner class is forgotten", _with(classes=("acl", "group", "other"))),
    WrongOracle("the ACL is forgotten", _with(classes=("owner", "group", "other"))),
    WrongOracle("the ACL counts even if the group bits are zero", _with(acl_needs_group_bits=False)),
    WrongOracle("the ACL has no mask", patches=((permission.CLASSES, "acl", _without_mask),)),
    WrongOracle(
        "the first matching group of an ACL settles it", patches=((permission.CLASSES, "acl", _first_group_settles_it),)
    ),
    WrongOracle("the most generous class counts", patches=((permission, "applying", _any_class_will_do),)),
    WrongOracle("supplementary groups don't count", patches=((permission, "member", _only_the_gid),)),
    WrongOracle("uid 0 needs no capabilities", patches=((permission, "capable", _root_is_almighty),)),
    WrongOracle("CAP_DAC_READ_SEARCH passes nothing", _with(overrides=SEARCH_ONLY)),
    WrongOracle(
        "CAP_DAC_READ_SEARCH passes writing too",
        _with(overrides=(*SEARCH_ONLY, Override("CAP_DAC_READ_SEARCH", "directory", 7))),
    ),
    WrongOracle("CAP_DAC_OVERRIDE passes directories only", _with(overrides=SEARCH_ONLY[:1])),
    WrongOracle("connect needs r as well as w", patches=((steps.STEPS, "write", _reads_and_writes),)),
    WrongOracle("connect needs no permission", _without("connect", "write")),
    WrongOracle("connect looks for the listener before permission", _before("connect", "is_open", "write")),
    WrongOracle("connect looks at the type before permission", _before("connect", "same_type", "write")),
    WrongOracle("bind asks for permission before it looks for the name", _before("bind", "may_create", "absent")),
    WrongOracle("bind follows a symlink at the end", _behind_links),
    WrongOracle("bind says EROFS before EADDRINUSE", _before("bind", "writable_mount", "absent")),
    WrongOracle("bind makes sockets regardless of the umask", patches=((steps.making, "UMASK", 0),)),
    WrongOracle("a new socket has its directory's group", _with(new_group="directory")),
    WrongOracle("reading is enough to search a directory", patches=((lookup.Lookup, "search", _reading_is_enough),)),
    WrongOracle("directories need not be searchable", patches=((lookup.Lookup, "search", _missing_names_first),)),
    WrongOracle("one symlink more is followed", _with(symlinks=41)),
    WrongOracle("one symlink less is followed", _with(symlinks=39)),
    WrongOracle("a name may have 256 bytes", _with(name_max=256)),
    WrongOracle("a path may have 4096 bytes", _with(path_max=4097)),
    WrongOracle("sun_path has room for a NUL more", _with(sun_path=107)),
    WrongOracle("unlink ignores the sticky bit", _without("unlink", "not_sticky")),
    WrongOracle("rename ignores the sticky bit", _without("rename", "not_sticky")),
    WrongOracle("unlink looks for a directory before permission", _before("unlink", "not_a_directory", "may_delete")),
    WrongOracle("unlink says EROFS last", _before("unlink", "present", "writable_mount")),
    WrongOracle("a slash at the end of a new name does not matter", _without("bind", "no_closing_slash")),
    WrongOracle("rename crosses mounts", _without("rename", "same_mount")),
    WrongOracle("rename moves what is mounted upon", _without("rename", "neither_mounted_upon")),
    WrongOracle("rename moves a directory into itself", _without("rename", "not_into_itself")),
    WrongOracle("rename moves directories that it may not write", _without("rename", "may_move_a_directory")),
    WrongOracle("chmod needs no ownership", _without("chmod", "ownership")),
    WrongOracle("a full queue takes one more", _without("connect", "has_room")),
    WrongOracle(
        "abstract names are known in every network", patches=((steps.sockets, "_abstract_state", _in_any_network),)
    ),
    WrongOracle("names can be made in a deleted directory", _without("bind", "living")),
    WrongOracle("a path begins at the machine's root", patches=((lookup.Lookup, "begin", _from_the_machines_root),)),
    WrongOracle("two dots lead out of a root directory", patches=((lookup.Lookup, "step", _out_of_the_root),)),
    WrongOracle("a FUSE mount is open to all", patches=((lookup.Lookup, "enter", _open_to_all),), by_fuse=True),
    WrongOracle("a FUSE mount is open to root", patches=((lookup.Lookup, "enter", _open_to_root),), by_fuse=True),
    WrongOracle("a FUSE mount can be looked at by all", _without("stat", "let_in"), by_fuse=True),
    WrongOracle("a FUSE mount's modes can be changed by its owner", _without("chmod", "let_in"), by_fuse=True),
    WrongOracle("a FUSE mount heeds ACLs", patches=((FileSystem, "shown", _with_its_acl),), by_fuse=True),
    WrongOracle(
        "a socket is reached by whatever shows its file",
        patches=((FileSystem, "state", _whatever_shows_it),),
        by_fuse=True,
    ),
    WrongOracle(
        "what is made through FUSE is its maker's",
        patches=((steps.making, "maker", lambda trial: trial.principal),),
        by_fuse=True,
    ),
)
"""Every one of them that random worlds find."""


def _whatever_it_is(trial: Trial) -> None:
    if "bind" in confinement.domain(trial):
        raise Refused("EACCES", trial.target.directory.path, "wrong")


def _never_across(trial: Trial) -> None:
    if "bind" in confinement.domain(trial) and trial.last.directory.inode != trial.target.directory.inode:
        raise Refused("EXDEV", trial.at, "wrong")


def _sockets_alone(trial: Trial) -> None:
    if "bind" in confinement.domain(trial) and trial.victim(trial.last)[1].kind == "socket":
        raise Refused("EACCES", trial.target.directory.path, "wrong")


WRONG_OF_CONFINEMENT = (
    WrongOracle("a filter of calls stops no connect", _without("connect", "allowed_call")),
    WrongOracle("a filter of calls stops no connect to a name", _without("connect abstract", "allowed_call")),
    WrongOracle("a filter of calls stops no bind", _without("bind", "allowed_call")),
    WrongOracle("a filter of calls stops no bind to a name", _without("bind abstract", "allowed_call")),
    WrongOracle("a filter of calls stops no unlink", _without("unlink", "allowed_call")),
    WrongOracle("a filter of calls stops no rename", _without("rename", "allowed_call")),
    WrongOracle("a filter of calls stops no chmod", _without("chmod", "allowed_call")),
    WrongOracle("a filter of calls is asked after the path", _before("connect", "allowed_call", "is_socket")),
    WrongOracle("a filter of calls is asked after unlink's path", _before("unlink", "allowed_call", "present")),
    WrongOracle("who may make no sockets may bind", patches=((confinement.CALLS, "bind", ("bind",)),)),
    WrongOracle("connect makes no socket", patches=((confinement.CALLS, "connect", ("connect",)),)),
    WrongOracle("connect is asked before socket", patches=((confinement.CALLS, "connect", ("connect", "socket")),)),
    WrongOracle("a domain lets sockets be made", _without("bind", "may_make_sockets")),
    WrongOracle("a domain is asked before the name", _before("bind", "may_make_sockets", "absent")),
    WrongOracle("a domain is asked before the mount", _before("bind", "may_make_sockets", "writable_mount")),
    WrongOracle("a domain lets sockets be moved", _without("rename", "may_move_sockets")),
    WrongOracle("a domain lets nothing be moved", patches=((steps.STEPS, "may_move_sockets", _whatever_it_is),)),
    WrongOracle("a domain takes sockets for files", patches=((steps.STEPS, "may_move_sockets", _never_across),)),
    WrongOracle("a domain keeps sockets alone", patches=((steps.STEPS, "may_move_sockets", _sockets_alone),)),
    WrongOracle("a domain is asked after the directory", _before("rename", "may_delete", "may_move_sockets")),
    WrongOracle("a domain lets abstract names be", _without("connect abstract", "within_domain")),
    WrongOracle("a domain is asked before the name is known", _before("connect abstract", "within_domain", "known")),
    WrongOracle("a domain is asked before the listener", _before("connect abstract", "within_domain", "is_listening")),
)
"""Those about users who are held by a filter of system calls or by a domain, which no random world draws."""
