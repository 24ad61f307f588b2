"""Oracles with one rule wrong each about reading, making and changing files and directories.

`tests.helpers.operation_cases` has a world that finds each of them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from harness.oracle import lookup, permission, steps
from harness.oracle.filesystem import FileSystem, Spot
from harness.oracle.lookup import Refused
from harness.oracle.rules import Override
from tests.mutants.oracles import (
    READING,
    SEARCH_ONLY,
    WrongOracle,
    with_changes,
    with_step_before,
    with_steps,
    without_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.oracle import Rules
    from harness.oracle.rules import Procedure, StepName
    from harness.oracle.steps import Trial


def _after(operation: Procedure, more: StepName, early: StepName) -> Callable[[Rules], Rules]:
    """The step `more`, which should not be there, is made just after `early`."""

    def change(rules: Rules) -> Rules:
        names = list(rules.steps[operation])
        names.insert(names.index(early) + 1, more)
        return with_steps(rules, operation, tuple(names))

    return change


def _owner_alone(trial: Trial) -> None:
    if trial.principal.uid != trial.inode.uid and not permission.capable(trial.principal, "CAP_CHOWN", trial.rules):
        raise Refused("EPERM", trial.at, "wrong")


def _to_any_group(trial: Trial) -> None:
    uid = trial.given_to[0]
    if not permission.capable(trial.principal, "CAP_CHOWN", trial.rules) and (
        trial.principal.uid != trial.inode.uid or uid not in {None, trial.inode.uid}
    ):
        raise Refused("EPERM", trial.at, "wrong")


def _with_chown_always(trial: Trial) -> None:
    if not permission.capable(trial.principal, "CAP_CHOWN", trial.rules):
        MAY_GIVE_AWAY(trial)


def _keeps_set_ids(trial: Trial) -> None:
    uid, gid = trial.given_to
    inode = trial.inode
    after = dataclasses.replace(inode, uid=inode.uid if uid is None else uid, gid=inode.gid if gid is None else gid)
    trial.system = trial.system.with_inode(trial.spot.inode, after)


def _loses_every_setgid(trial: Trial) -> bool:
    del trial
    return True


def _keeps_setgid(trial: Trial) -> bool:
    del trial
    return False


def _runs_everything(self: FileSystem, spot: Spot) -> bool:
    del self, spot
    return False


def _searches(trial: Trial) -> None:
    trial.want(trial.spot, permission.SEARCH)


def _nothing(trial: Trial) -> None:
    del trial


def _cut_off_by_all(trial: Trial) -> None:
    mode = trial.inode.mode & ~0o6000
    trial.system = trial.system.with_inode(trial.spot.inode, dataclasses.replace(trial.inode, mode=mode))


def _with_umask(step: str, usual: int) -> Callable[[Trial], None]:
    """Making that heeds the umask in a directory with a default ACL too."""
    right = steps.STEPS[step]  # type: ignore[index]

    def make(trial: Trial) -> None:
        asked = usual if trial.attempt.mode is None else trial.attempt.mode
        trial.attempt = dataclasses.replace(trial.attempt, mode=asked & ~steps.making.UMASK)
        right(trial)

    return make


def _without_umask_for_sockets(trial: Trial) -> None:
    directory = trial.directory(trial.last)
    steps.making.make(trial, "socket", 0o777 if directory.default else 0o755)


def _inheriting(**changes: object) -> Callable[[Trial, Literal["socket", "file", "directory"], int], None]:
    """Making that leaves out something of what is inherited."""

    def make(trial: Trial, kind: Literal["socket", "file", "directory"], mode: int) -> None:
        MAKE(trial, kind, mode)
        number = trial.system.names[trial.last.directory.inode][trial.last.name]
        made = dataclasses.replace(trial.system.inodes[number], **changes)  # type: ignore[arg-type]
        trial.system = trial.system.with_inode(number, made)

    return make


def _default_mode_whole(trial: Trial, kind: Literal["socket", "file", "directory"], mode: int) -> None:
    directory = trial.directory(trial.last)
    MAKE(trial, kind, mode if directory.default is None else mode & ~0o777 | directory.default.mode & 0o777)


def _directory_without_setgid(trial: Trial, kind: Literal["socket", "file", "directory"], mode: int) -> None:
    MAKE(trial, kind, mode & ~0o2000 if kind == "directory" else mode)


def _in_that_directory_first(trial: Trial) -> None:
    trial.want(trial.last.directory, permission.WRITE | permission.SEARCH)
    UNLESS_THERE(trial)


def _not_followed(self: lookup.Lookup, path: str) -> lookup.Ending:
    return self.parent(path)


def _by_permission_first(trial: Trial) -> None:
    answer = permission.permission(trial.principal, trial.system.shown(trial.spot), permission.WRITE, trial.rules)
    if not answer.granted:
        raise Refused("EACCES", trial.spot.path, "", answer, trial.spot)
    trial.want(trial.spot, permission.WRITE)


def _flags_are_for_others(self: Trial, spot: Spot, wanted: int) -> None:
    """Root passes over what is immutable."""
    exempt = permission.capable(self.principal, "CAP_LINUX_IMMUTABLE", self.rules)
    (_mutable if exempt else WANT)(self, spot, wanted)


def _mutable(self: Trial, spot: Spot, wanted: int) -> None:
    system = self.system
    inode = system.inodes[spot.inode]
    self.system = self.lookup.system = system.with_inode(spot.inode, dataclasses.replace(inode, flags=()))
    try:
        WANT(self, spot, wanted)
    finally:
        self.system = self.lookup.system = system


WANT, MAKE, MAY_GIVE_AWAY = steps.Trial.want, steps.making.make, steps.STEPS["may_give_away"]
UNLESS_THERE = steps.STEPS["unless_there"]


WRONG_OF_OPERATIONS = (
    WrongOracle(
        "CAP_DAC_OVERRIDE executes what has no x",
        with_changes(overrides=(*READING, *SEARCH_ONLY, Override("CAP_DAC_OVERRIDE", "other without x", 7))),
    ),
    WrongOracle(
        "CAP_DAC_READ_SEARCH reads no files",
        with_changes(overrides=(Override("CAP_DAC_READ_SEARCH", "directory", 5), *SEARCH_ONLY)),
    ),
    WrongOracle("noexec is forgotten", patches=((FileSystem, "runs_nothing", _runs_everything),)),
    WrongOracle("a directory is executed by who may search it", without_step("execute", "runs")),
    WrongOracle("a directory is listed by who may search it", patches=((steps.STEPS, "may_read", _searches),)),
    WrongOracle("a directory is read like a file", without_step("read", "no_directory")),
    WrongOracle("a socket is opened like a file", patches=((steps.STEPS, "opens", _nothing),)),
    WrongOracle("a directory's bits are asked before EISDIR", with_step_before("write", "write", "no_directory")),
    WrongOracle("writing says EROFS before EACCES", with_step_before("write", "writable_mount_of_file", "write")),
    WrongOracle("truncate says EROFS before EACCES", with_step_before("truncate", "writable_mount_of_it", "write")),
    WrongOracle("truncate asks for permission before EINVAL", with_step_before("truncate", "write", "is_file")),
    WrongOracle("truncate keeps set-id bits", patches=((steps.STEPS, "cut_off", _nothing),)),
    WrongOracle(
        "truncate takes set-id bits from who has CAP_FSETID", patches=((steps.STEPS, "cut_off", _cut_off_by_all),)
    ),
    WrongOracle("create follows no symlink", patches=((lookup.Lookup, "ending", _not_followed),)),
    WrongOracle(
        "create asks the directory of what is there", patches=((steps.STEPS, "unless_there", _in_that_directory_first),)
    ),
    WrongOracle("create makes names with a slash", without_step("create", "names_a_file")),
    WrongOracle(
        "create opens another's socket in a sticky directory",
        without_step("create existing", "not_in_a_sticky_directory"),
    ),
    WrongOracle("create opens directories", without_step("create existing", "no_directory")),
    WrongOracle("create says EROFS of what is there", with_step_before("create", "writable_mount", "unless_there")),
    WrongOracle("create needs no permission", without_step("create", "may_create")),
    WrongOracle("mkdir says EROFS before EEXIST", with_step_before("mkdir", "writable_mount", "absent")),
    WrongOracle("mkdir makes directories in a deleted one", without_step("mkdir", "living")),
    WrongOracle("mkdir wants no slash at the end", _after("mkdir", "no_closing_slash", "absent")),
    WrongOracle(
        "a new directory is not setgid in such a one", patches=((steps.making, "make", _directory_without_setgid),)
    ),
    WrongOracle(
        "the umask counts for files beside a default ACL",
        patches=((steps.STEPS, "create_file", _with_umask("create_file", 0o666)),),
    ),
    WrongOracle(
        "the umask counts for directories beside a default ACL",
        patches=((steps.STEPS, "make_directory", _with_umask("make_directory", 0o777)),),
    ),
    WrongOracle(
        "the umask does not count for sockets beside a default ACL",
        patches=((steps.STEPS, "create", _without_umask_for_sockets),),
    ),
    WrongOracle("a default ACL gives more than was asked for", patches=((steps.making, "make", _default_mode_whole),)),
    WrongOracle("a default ACL's entries are not inherited", patches=((steps.making, "make", _inheriting(acl=None)),)),
    WrongOracle("a default ACL is not passed on", patches=((steps.making, "make", _inheriting(default=None)),)),
    WrongOracle("an owner may give away", patches=((steps.STEPS, "may_give_away", _owner_alone),)),
    WrongOracle("an owner may give to any group", patches=((steps.STEPS, "may_give_away", _to_any_group),)),
    WrongOracle(
        "CAP_CHOWN takes set-id bits from anybody's", patches=((steps.STEPS, "may_give_away", _with_chown_always),)
    ),
    WrongOracle("chown keeps set-id bits", patches=((steps.STEPS, "change_owner", _keeps_set_ids),)),
    WrongOracle("a change takes every setgid bit", patches=((steps.things, "_loses_setgid", _loses_every_setgid),)),
    WrongOracle("a change keeps the setgid bit", patches=((steps.things, "_loses_setgid", _keeps_setgid),)),
    WrongOracle("chown says EPERM before EROFS", with_step_before("chown", "may_give_away", "writable_mount_of_it")),
    WrongOracle("immutable is forgotten", patches=((steps.Trial, "want", _mutable),), by_flags=True),
    WrongOracle("immutable does not hold root", patches=((steps.Trial, "want", _flags_are_for_others),), by_flags=True),
    WrongOracle(
        "permission is asked before immutable", patches=((steps.STEPS, "write", _by_permission_first),), by_flags=True
    ),
    WrongOracle("append-only files are opened for writing", without_step("write", "not_only_to_append"), by_flags=True),
    WrongOracle("append-only files are cut off", without_step("truncate", "not_only_to_append"), by_flags=True),
    WrongOracle("names leave an append-only directory", without_step("unlink", "names_may_go"), by_flags=True),
    WrongOracle("names move out of an append-only directory", without_step("rename", "names_may_go"), by_flags=True),
    WrongOracle("what is append-only is unlinked", without_step("unlink", "keeps_no_name"), by_flags=True),
    WrongOracle("what is append-only is renamed", without_step("rename", "keeps_no_name"), by_flags=True),
    WrongOracle("what is append-only changes its mode", without_step("chmod", "unflagged"), by_flags=True),
    WrongOracle("what is append-only changes its owner", without_step("chown", "unflagged"), by_flags=True),
)
"""Each differs from the right one in an outcome, or in what a stat shows afterwards."""
