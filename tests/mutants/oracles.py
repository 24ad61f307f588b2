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
from harness.oracle.steps import confinement, policies, profiles
from harness.world import CALLS, policy, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal

    from harness.oracle import Decision, Rules
    from harness.oracle.filesystem import Inode
    from harness.oracle.rules import Procedure, StepName
    from harness.oracle.steps import Trial
    from harness.world import Attempt, Principal, SocketState, World

    Access = Literal["r", "w", "x"]


@dataclass(frozen=True)
class WrongOracle:
    """`name` says what it gets wrong; `rules` changes the data; `patches` are (owner, name, value to stand there).

    `by_fuse`: it shows in worlds with FUSE mounts alone, `by_flags`: with immutable or append-only nodes alone.
    """

    name: str
    rules: Callable[[Rules], Rules] = lambda rules: rules
    patches: tuple[tuple[object, str, object], ...] = ()
    by_fuse: bool = False
    by_flags: bool = False

    def __call__(self, world: World, attempts: Sequence[Attempt], rules: Rules) -> list[Decision]:
        """What it says instead of `harness.oracle.predict`."""
        with contextlib.ExitStack() as stack:
            for owner, name, value in self.patches:
                patch = mock.patch.dict(owner, {name: value}) if isinstance(owner, dict) else None
                stack.enter_context(patch or mock.patch.object(owner, name, value))
            return predict(world, attempts, self.rules(rules))


def with_changes(**changes: object) -> Callable[[Rules], Rules]:
    """The rules with other data."""
    return lambda rules: dataclasses.replace(rules, **changes)  # type: ignore[arg-type]


def without_step(operation: Procedure, step: StepName) -> Callable[[Rules], Rules]:
    """An operation without one of its steps."""

    def change(rules: Rules) -> Rules:
        names: list[StepName] = [name for name in rules.steps[operation] if name != step]
        return with_steps(rules, operation, tuple(names))

    return change


def with_step_before(operation: Procedure, early: StepName, late: StepName) -> Callable[[Rules], Rules]:
    """The step `early` is made just before `late`, which it should follow."""

    def change(rules: Rules) -> Rules:
        names: list[StepName] = [name for name in rules.steps[operation] if name != early]
        names.insert(names.index(late), early)
        return with_steps(rules, operation, tuple(names))

    return change


def with_steps(rules: Rules, operation: Procedure, steps: tuple[StepName, ...]) -> Rules:
    """An operation with other steps."""
    assert steps != rules.steps[operation]
    return dataclasses.replace(rules, steps=MappingProxyType({**rules.steps, operation: steps}))


def _behind_links(rules: Rules) -> Rules:
    steps: list[StepName] = ["parent_behind_links" if step == "parent" else step for step in rules.steps["bind"]]
    return with_steps(rules, "bind", tuple(steps))


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
READING = (
    Override("CAP_DAC_READ_SEARCH", "directory", 5),
    Override("CAP_DAC_READ_SEARCH", "other", 4),
    Override("CAP_DAC_READ_SEARCH", "other without x", 4),
)

WRONG = (
    WrongOracle("the group class comes before the owner", with_changes(classes=("group", "owner", "acl", "other"))),
    WrongOracle("the owner class is forgotten", with_changes(classes=("acl", "group", "other"))),
    WrongOracle("the ACL is forgotten", with_changes(classes=("owner", "group", "other"))),
    WrongOracle("the ACL counts even if the group bits are zero", with_changes(acl_needs_group_bits=False)),
    WrongOracle("the ACL has no mask", patches=((permission.CLASSES, "acl", _without_mask),)),
    WrongOracle(
        "the first matching group of an ACL settles it", patches=((permission.CLASSES, "acl", _first_group_settles_it),)
    ),
    WrongOracle("the most generous class counts", patches=((permission, "applying", _any_class_will_do),)),
    WrongOracle("supplementary groups don't count", patches=((permission, "member", _only_the_gid),)),
    WrongOracle("uid 0 needs no capabilities", patches=((permission, "capable", _root_is_almighty),)),
    WrongOracle("CAP_DAC_READ_SEARCH passes nothing", with_changes(overrides=SEARCH_ONLY)),
    WrongOracle(
        "CAP_DAC_READ_SEARCH passes writing too",
        with_changes(overrides=(*READING, *SEARCH_ONLY, Override("CAP_DAC_READ_SEARCH", "directory", 7))),
    ),
    WrongOracle("CAP_DAC_OVERRIDE passes directories only", with_changes(overrides=(*READING, SEARCH_ONLY[0]))),
    WrongOracle("connect needs r as well as w", patches=((steps.STEPS, "write", _reads_and_writes),)),
    WrongOracle("connect needs no permission", without_step("connect", "write")),
    WrongOracle("connect looks for the listener before permission", with_step_before("connect", "is_open", "write")),
    WrongOracle("connect looks at the type before permission", with_step_before("connect", "same_type", "write")),
    WrongOracle(
        "bind asks for permission before it looks for the name", with_step_before("bind", "may_create", "absent")
    ),
    WrongOracle("bind follows a symlink at the end", _behind_links),
    WrongOracle("bind says EROFS before EADDRINUSE", with_step_before("bind", "writable_mount", "absent")),
    WrongOracle("bind makes sockets regardless of the umask", patches=((steps.making, "UMASK", 0),)),
    WrongOracle("a new socket has its directory's group", with_changes(new_group="directory")),
    WrongOracle("reading is enough to search a directory", patches=((lookup.Lookup, "search", _reading_is_enough),)),
    WrongOracle("directories need not be searchable", patches=((lookup.Lookup, "search", _missing_names_first),)),
    WrongOracle("one symlink more is followed", with_changes(symlinks=41)),
    WrongOracle("one symlink less is followed", with_changes(symlinks=39)),
    WrongOracle("a name may have 256 bytes", with_changes(name_max=256)),
    WrongOracle("a path may have 4096 bytes", with_changes(path_max=4097)),
    WrongOracle("sun_path has room for a NUL more", with_changes(sun_path=107)),
    WrongOracle("unlink ignores the sticky bit", without_step("unlink", "not_sticky")),
    WrongOracle("rename ignores the sticky bit", without_step("rename", "not_sticky")),
    WrongOracle(
        "unlink looks for a directory before permission", with_step_before("unlink", "not_a_directory", "may_delete")
    ),
    WrongOracle("unlink says EROFS last", with_step_before("unlink", "present", "writable_mount")),
    WrongOracle("a slash at the end of a new name does not matter", without_step("bind", "no_closing_slash")),
    WrongOracle("rename crosses mounts", without_step("rename", "same_mount")),
    WrongOracle("rename moves what is mounted upon", without_step("rename", "neither_mounted_upon")),
    WrongOracle("rename moves a directory into itself", without_step("rename", "not_into_itself")),
    WrongOracle("rename moves directories that it may not write", without_step("rename", "may_move_a_directory")),
    WrongOracle("chmod needs no ownership", without_step("chmod", "ownership")),
    WrongOracle("a full queue takes one more", without_step("connect", "has_room")),
    WrongOracle(
        "abstract names are known in every network", patches=((steps.sockets, "_abstract_state", _in_any_network),)
    ),
    WrongOracle("names can be made in a deleted directory", without_step("bind", "living")),
    WrongOracle("a path begins at the machine's root", patches=((lookup.Lookup, "begin", _from_the_machines_root),)),
    WrongOracle("two dots lead out of a root directory", patches=((lookup.Lookup, "step", _out_of_the_root),)),
    WrongOracle("a FUSE mount is open to all", patches=((lookup.Lookup, "enter", _open_to_all),), by_fuse=True),
    WrongOracle("a FUSE mount is open to root", patches=((lookup.Lookup, "enter", _open_to_root),), by_fuse=True),
    WrongOracle("a FUSE mount can be looked at by all", without_step("stat", "let_in"), by_fuse=True),
    WrongOracle("a FUSE mount's modes can be changed by its owner", without_step("chmod", "let_in"), by_fuse=True),
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


def _denying_nothing(rules: Iterable[str], path: str, access: Access, *, directory: bool = False) -> bool:
    return profile.allows([rule for rule in rules if not rule.startswith("deny")], path, access, directory=directory)


def _many_for_one(rules: Iterable[str], path: str, access: Access, *, directory: bool = False) -> bool:
    return profile.allows([rule.replace("/* ", "/** ") for rule in rules], path, access, directory=directory)


def _without_a_slash(rules: Iterable[str], path: str, access: Access, *, directory: bool = False) -> bool:
    del directory
    return profile.allows(rules, path, access)


def _all_that_is_denied(rules: Iterable[str], path: str, access: Access, *, directory: bool = False) -> bool:
    whole = [f"{rule[:-1]}{access}" if rule.startswith("deny ") else rule for rule in rules]
    return profile.allows(whole, path, access, directory=directory)


def _a_new_file(trial: Trial) -> None:
    profiles._expect(trial, "w", trial.last.path, "make")


def _first_path_alone(trial: Trial) -> None:
    steps.STEPS["profile_takes"](trial)


WRONG_OF_CONFINEMENT = (
    WrongOracle("a filter of calls stops no connect", without_step("connect", "allowed_call")),
    WrongOracle("a filter of calls stops no connect to a name", without_step("connect abstract", "allowed_call")),
    WrongOracle("a filter of calls stops no bind", without_step("bind", "allowed_call")),
    WrongOracle("a filter of calls stops no bind to a name", without_step("bind abstract", "allowed_call")),
    WrongOracle("a filter of calls stops no unlink", without_step("unlink", "allowed_call")),
    WrongOracle("a filter of calls stops no rename", without_step("rename", "allowed_call")),
    WrongOracle("a filter of calls stops no chmod", without_step("chmod", "allowed_call")),
    WrongOracle("a filter of calls stops no chown", without_step("chown", "allowed_call")),
    WrongOracle("a filter of calls stops no mkdir", without_step("mkdir", "allowed_call")),
    WrongOracle("a filter of calls stops no truncate", without_step("truncate", "allowed_call")),
    WrongOracle("a filter of calls stops no reading", without_step("read", "allowed_call")),
    WrongOracle("a filter of calls stops no list", without_step("list", "allowed_call")),
    WrongOracle("a filter of calls stops no writing", without_step("write", "allowed_call")),
    WrongOracle("a filter of calls stops no new file", without_step("create", "allowed_call")),
    WrongOracle("a filter of calls stops no execve", without_step("execute", "allowed_call")),
    WrongOracle("a filter of calls is asked after mkdir's path", with_step_before("mkdir", "allowed_call", "absent")),
    WrongOracle("a filter of calls is asked after the path", with_step_before("connect", "allowed_call", "is_socket")),
    WrongOracle(
        "a filter of calls is asked after unlink's path", with_step_before("unlink", "allowed_call", "present")
    ),
    WrongOracle("who may make no sockets may bind", patches=((confinement, "CALLS", {**CALLS, "bind": ("bind",)}),)),
    WrongOracle("connect makes no socket", patches=((confinement, "CALLS", {**CALLS, "connect": ("connect",)}),)),
    WrongOracle(
        "connect is asked before socket", patches=((confinement, "CALLS", {**CALLS, "connect": ("connect", "socket")}),)
    ),
    WrongOracle("a domain lets sockets be made", without_step("bind", "may_make_sockets")),
    WrongOracle("a domain is asked before the name", with_step_before("bind", "may_make_sockets", "absent")),
    WrongOracle("a domain is asked before the mount", with_step_before("bind", "may_make_sockets", "writable_mount")),
    WrongOracle("a domain lets sockets be moved", without_step("rename", "may_move_sockets")),
    WrongOracle("a domain lets nothing be moved", patches=((steps.STEPS, "may_move_sockets", _whatever_it_is),)),
    WrongOracle("a domain takes sockets for files", patches=((steps.STEPS, "may_move_sockets", _never_across),)),
    WrongOracle("a domain keeps sockets alone", patches=((steps.STEPS, "may_move_sockets", _sockets_alone),)),
    WrongOracle("a domain is asked after the directory", with_step_before("rename", "may_delete", "may_move_sockets")),
    WrongOracle("a domain lets abstract names be", without_step("connect abstract", "within_domain")),
    WrongOracle(
        "a domain is asked before the name is known", with_step_before("connect abstract", "within_domain", "known")
    ),
    WrongOracle(
        "a domain is asked before the listener", with_step_before("connect abstract", "within_domain", "is_listening")
    ),
)
"""Those about users who are held by a filter of system calls or by a domain, which no random world draws."""

WRONG_OF_RESOLVING = (
    WrongOracle("a domain lets named sockets be", without_step("connect", "may_resolve_sockets")),
    WrongOracle(
        "a domain is asked before the file's permission", with_step_before("connect", "may_resolve_sockets", "write")
    ),
    WrongOracle("a domain is asked before who is there", with_step_before("connect", "may_resolve_sockets", "is_open")),
    WrongOracle("a domain is asked before the type", with_step_before("connect", "may_resolve_sockets", "same_type")),
    WrongOracle(
        "a domain is asked after the listener", with_step_before("connect", "is_listening", "may_resolve_sockets")
    ),
)
"""Those about domains that take connections to named sockets away."""

WRONG_OF_PROFILES = (
    WrongOracle("a profile lets sockets be made to connect", without_step("connect", "profile_makes_sockets")),
    WrongOracle("a profile lets sockets be made for a name", without_step("connect abstract", "profile_makes_sockets")),
    WrongOracle("a profile lets sockets be made to bind", without_step("bind", "profile_makes_sockets")),
    WrongOracle(
        "a profile is asked for sockets after the path", with_step_before("connect", "profile_makes_sockets", "write")
    ),
    WrongOracle("a profile lets names be made", without_step("bind", "profile_makes")),
    WrongOracle("a profile is asked for a name before it is free", with_step_before("bind", "profile_makes", "absent")),
    WrongOracle(
        "a profile is asked for a name before the mount", with_step_before("bind", "profile_makes", "writable_mount")
    ),
    WrongOracle(
        "a profile is asked for a name after the directory", with_step_before("bind", "may_create", "profile_makes")
    ),
    WrongOracle("a profile lets names be removed", without_step("unlink", "profile_takes")),
    WrongOracle(
        "a profile is asked after unlink's directory", with_step_before("unlink", "may_delete", "profile_takes")
    ),
    WrongOracle("a profile lets names be moved", without_step("rename", "profile_moves")),
    WrongOracle("a profile lets modes be changed", without_step("chmod", "profile_changes")),
    WrongOracle(
        "a profile is asked for a mode after the owner", with_step_before("chmod", "ownership", "profile_changes")
    ),
    WrongOracle("what is denied may be written", patches=((profiles, "allows", _denying_nothing),)),
    WrongOracle("one star stands for many names", patches=((profiles, "allows", _many_for_one),)),
    WrongOracle("a directory's path has no slash", patches=((profiles, "allows", _without_a_slash),)),
    WrongOracle("what is denied is denied altogether", patches=((profiles, "allows", _all_that_is_denied),)),
    WrongOracle("a new directory's path has no slash", patches=((steps.STEPS, "profile_makes", _a_new_file),)),
    WrongOracle("a profile lets files be made", without_step("create", "profile_makes")),
    WrongOracle(
        "a profile is asked for a file before the mount",
        with_step_before("create", "profile_makes", "writable_mount"),
    ),
    WrongOracle(
        "a profile is asked for a file after the directory", with_step_before("create", "may_create", "profile_makes")
    ),
    WrongOracle("a profile lets files be opened by O_CREAT", without_step("create existing", "profile_writes")),
    WrongOracle(
        "a profile is asked for what is there before the mount",
        with_step_before("create existing", "profile_writes", "writable_mount_of_file"),
    ),
    WrongOracle(
        "a profile is asked for what is there after O_CREAT opened it",
        with_step_before("create existing", "opens", "profile_writes"),
    ),
    WrongOracle("a profile lets directories be made", without_step("mkdir", "profile_makes")),
    WrongOracle(
        "a profile is asked for a directory before its name is free",
        with_step_before("mkdir", "profile_makes", "absent"),
    ),
    WrongOracle(
        "a profile is asked for a directory before the mount",
        with_step_before("mkdir", "profile_makes", "writable_mount"),
    ),
    WrongOracle(
        "a profile is asked for a directory after the one above it",
        with_step_before("mkdir", "may_create", "profile_makes"),
    ),
    WrongOracle("a profile lets files be written", without_step("write", "profile_writes")),
    WrongOracle(
        "a profile is asked for writing before the mount",
        with_step_before("write", "profile_writes", "writable_mount_of_file"),
    ),
    WrongOracle(
        "a profile is asked for writing after what can be opened", with_step_before("write", "opens", "profile_writes")
    ),
    WrongOracle("a profile lets files be cut off", without_step("truncate", "profile_writes")),
    WrongOracle(
        "a profile is asked for truncation before the mount",
        with_step_before("truncate", "profile_writes", "writable_mount_of_it"),
    ),
    WrongOracle(
        "a profile is asked for truncation before what it is", with_step_before("truncate", "profile_writes", "is_file")
    ),
    WrongOracle("a profile lets owners be changed", without_step("chown", "profile_changes")),
    WrongOracle(
        "a profile is asked for an owner before the mount",
        with_step_before("chown", "profile_changes", "writable_mount_of_it"),
    ),
    WrongOracle(
        "a profile is asked for an owner after the owner", with_step_before("chown", "may_give_away", "profile_changes")
    ),
    WrongOracle("a profile lets files be read", without_step("read", "profile_reads")),
    WrongOracle(
        "a profile is asked for reading after what can be opened", with_step_before("read", "opens", "profile_reads")
    ),
    WrongOracle(
        "a profile is asked for reading after what can be read",
        with_step_before("read", "no_directory", "profile_reads"),
    ),
    WrongOracle("a profile lets directories be listed", without_step("list", "profile_reads")),
    WrongOracle(
        "a profile is asked for a list before what it is", with_step_before("list", "profile_reads", "is_directory")
    ),
    WrongOracle("a profile lets programs be run", without_step("execute", "profile_executes")),
    WrongOracle("a rename asks for its first path alone", patches=((steps.STEPS, "profile_moves", _first_path_alone),)),
)
"""Those about users who are held by an AppArmor profile."""

WRONG_OF_PEERS = (
    WrongOracle("a profile lets connections be", without_step("connect", "profile_connects")),
    WrongOracle(
        "a profile is asked before the listener", with_step_before("connect", "profile_connects", "is_listening")
    ),
)
"""Those that show where the kernel asks about connections."""


ASK, SEARCH, WANT = lookup.Lookup.ask, lookup.Lookup.search, steps.Trial.want


def _without_asking(kind: str, permission: str) -> WrongOracle:
    def ask(
        self: lookup.Lookup, label: str | None, of: str, permissions: Iterable[str], at: str, what: str = ""
    ) -> None:
        ASK(self, label, of, [name for name in permissions if (of, name) != (kind, permission)], at, what)

    return WrongOracle(f"a policy is not asked for {permission} of {kind}", patches=((lookup.Lookup, "ask", ask),))


def _closed_without_a_type(
    self: lookup.Lookup, label: str | None, kind: str, permissions: Iterable[str], at: str, what: str = ""
) -> None:
    ASK(self, label or "unknown_t", kind, permissions, at, what)


def _never_permissive(rules: tuple[str, ...], target: str, kind: str, permissions: Iterable[str]) -> tuple[str, ...]:
    return MISSING(tuple(rule for rule in rules if rule != policy.PERMISSIVE), target, kind, permissions)


def _whatever_the_class(rules: tuple[str, ...], target: str, kind: str, permissions: Iterable[str]) -> tuple[str, ...]:
    kinds = [other for other in policy.CLASSES if target == "self" or other == kind]
    return min((MISSING(rules, target, other, permissions) for other in kinds), key=len)


def _searched_by_the_policy_first(self: lookup.Lookup, directory: Spot) -> None:
    self.allow(directory, "search")
    SEARCH(self, directory)


def _wanted_of_the_policy_first(trial: Trial, spot: Spot, wanted: int) -> None:
    trial.lookup.allow(spot, *trial.asked_of_policy(spot, wanted))
    WANT(trial, spot, wanted)


def _to_the_file(trial: Trial) -> None:
    if trial.found is not None:
        trial.lookup.ask(trial.inode.label, "unix_stream_socket", ("connectto",), trial.at)


def _made_with_no_type(trial: Trial) -> None:
    CREATE(trial)
    spot = trial.system.look(trial.last.directory, trial.last.name)
    assert spot is not None
    bare = dataclasses.replace(trial.system.inodes[spot.inode], label=None)
    trial.system = trial.system.with_inode(spot.inode, bare)


MISSING, CREATE = policy.missing, steps.STEPS["create"]
WRONG_OF_POLICIES = (
    *(_without_asking(kind, permission) for kind, names in policy.CLASSES.items() for permission in names),
    WrongOracle("what has no type is closed", patches=((lookup.Lookup, "ask", _closed_without_a_type),)),
    WrongOracle("a permissive domain is held", patches=((policy, "missing", _never_permissive),)),
    WrongOracle(
        "sockets of one class are of any",
        patches=((policies, "missing", _whatever_the_class), (policy, "missing", _whatever_the_class)),
    ),
    WrongOracle(
        "a policy is asked before a directory's mode",
        patches=((lookup.Lookup, "search", _searched_by_the_policy_first),),
    ),
    WrongOracle("a policy is asked before permission", patches=((steps.Trial, "want", _wanted_of_the_policy_first),)),
    WrongOracle("the file's type is connected to", patches=((steps.STEPS, "policy_connects", _to_the_file),)),
    WrongOracle("what is made has no type", patches=((steps.STEPS, "create", _made_with_no_type),)),
    WrongOracle("a policy lets names be connected to", without_step("connect abstract", "policy_connects")),
    WrongOracle("a policy lets sockets be made for a name", without_step("connect abstract", "policy_makes_sockets")),
    WrongOracle("a policy lets sockets connect to a name", without_step("connect abstract", "policy_lets_call")),
    WrongOracle("a policy lets sockets be made for a new name", without_step("bind abstract", "policy_makes_sockets")),
    WrongOracle("a policy lets names be bound", without_step("bind abstract", "policy_lets_call")),
    WrongOracle("a policy lets sockets be made to bind", without_step("bind", "policy_makes_sockets")),
    WrongOracle(
        "a policy is asked for sockets after the path", with_step_before("connect", "policy_makes_sockets", "write")
    ),
    WrongOracle(
        "a policy is asked for the call before the socket",
        with_step_before("connect", "policy_lets_call", "policy_makes_sockets"),
    ),
    WrongOracle(
        "a policy is asked for the call after the address", with_step_before("connect", "address", "policy_lets_call")
    ),
    WrongOracle("a policy is asked for the call whatever its address", patches=((policies, "ADDRESS", 4096),)),
    WrongOracle("a policy is asked before a filter", with_step_before("connect", "policy_lets_call", "allowed_call")),
    WrongOracle(
        "a filter is asked before a policy of sockets", patches=((policies, "may_have_sockets", lambda trial: True),)
    ),
    WrongOracle(
        "a policy is asked before the listener", with_step_before("connect", "policy_connects", "is_listening")
    ),
    WrongOracle("a policy is asked before the queue", with_step_before("connect", "policy_connects", "has_room")),
    WrongOracle(
        "a policy is asked for a name before the listener",
        with_step_before("connect abstract", "policy_connects", "is_listening"),
    ),
    WrongOracle("a policy is asked before the name is free", with_step_before("bind", "policy_makes", "absent")),
    WrongOracle("a policy is asked before bind's mount", with_step_before("bind", "policy_makes", "writable_mount")),
    WrongOracle("a policy is asked before bind's directory", with_step_before("bind", "policy_makes", "may_create")),
    WrongOracle(
        "a policy is asked before unlink's directory", with_step_before("unlink", "policy_takes", "may_delete")
    ),
    WrongOracle("a policy is asked before the sticky bit", with_step_before("unlink", "policy_takes", "not_sticky")),
    WrongOracle(
        "a policy is asked before what is a directory", with_step_before("unlink", "policy_takes", "not_a_directory")
    ),
    WrongOracle(
        "a policy is asked before what is mounted upon", with_step_before("unlink", "policy_takes", "not_mounted_upon")
    ),
    WrongOracle("a policy is asked of what stays", with_step_before("rename", "policy_moves", "unless_the_same")),
    WrongOracle(
        "a policy is asked before rename's directory", with_step_before("rename", "policy_moves", "may_delete")
    ),
    WrongOracle(
        "a policy is asked before the second directory",
        with_step_before("rename", "policy_moves", "may_create_or_replace"),
    ),
    WrongOracle(
        "a policy is asked before a moved directory", with_step_before("rename", "policy_moves", "may_move_a_directory")
    ),
    WrongOracle(
        "a policy is asked after a moved mount", with_step_before("rename", "neither_mounted_upon", "policy_moves")
    ),
    WrongOracle("a policy is asked before mkdir's directory", with_step_before("mkdir", "policy_makes", "may_create")),
    WrongOracle("a policy is asked before mkdir's mount", with_step_before("mkdir", "policy_makes", "writable_mount")),
    WrongOracle("a policy is asked before mkdir's name", with_step_before("mkdir", "policy_makes", "absent")),
    WrongOracle(
        "a policy is asked before create's directory", with_step_before("create", "policy_makes", "may_create")
    ),
    WrongOracle(
        "a policy is asked before create's mount", with_step_before("create", "policy_makes", "writable_mount")
    ),
    WrongOracle(
        "a file that may not be written to is not made", with_step_before("create", "policy_opens_new", "create_file")
    ),
    WrongOracle("what is new may be written to", without_step("create", "policy_opens_new")),
    WrongOracle("a policy lets all run", without_step("execute", "policy_executes")),
    WrongOracle("what is listed is not looked at", without_step("list", "policy_shows")),
    WrongOracle("a policy lets owners be changed", without_step("chown", "policy_changes")),
    WrongOracle(
        "a policy is asked for an owner after whose it is", with_step_before("chown", "may_give_away", "policy_changes")
    ),
    WrongOracle(
        "a policy is asked for an owner before the mount",
        with_step_before("chown", "policy_changes", "writable_mount_of_it"),
    ),
    WrongOracle(
        "a policy is asked for a mode after the owner", with_step_before("chmod", "ownership", "policy_changes")
    ),
    WrongOracle(
        "a policy is asked for a mode before the mount",
        with_step_before("chmod", "policy_changes", "writable_mount_of_it"),
    ),
)
"""Those about users who are in an SELinux domain."""

WRONG_OF_LANDLOCKED = (
    WrongOracle(
        "a policy is asked before a domain of Landlock", with_step_before("bind", "policy_makes", "may_make_sockets")
    ),
    WrongOracle(
        "a policy is asked for a name before a domain of Landlock",
        with_step_before("connect abstract", "policy_connects", "within_domain"),
    ),
)
"""Those about users whom both hold, where a kernel has what the domain takes away."""
