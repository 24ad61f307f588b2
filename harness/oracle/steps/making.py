"""Making a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.oracle.filesystem import Inode
from harness.oracle.lookup import STICKY, Refused
from harness.oracle.permission import SEARCH, WRITE, capable, member
from harness.oracle.reasons import deleted
from harness.oracle.steps.trial import SETGID, size_of, step
from harness.world import ROOT

if TYPE_CHECKING:
    from harness.oracle.lookup import Ending
    from harness.oracle.steps.trial import Trial
    from harness.world import Principal

UMASK = 0o022
"""The umask with which every attempt is made."""


@step
def free_name(trial: Trial) -> None:
    """The last component is a name, not `.`, `..` or nothing: those are there already."""
    if trial.last.sort != "name":
        raise trial.refuse(_taken(trial), trial.at, f"the path ends in {trial.at}, which is there already")


@step
def living(trial: Trial) -> None:
    """The directory has not been deleted: else nothing can be made in it (`lookup_one_qstr_excl` in fs/namei.c)."""
    _expect_living(trial, trial.last)


@step
def second_living(trial: Trial) -> None:
    """The second directory has not been deleted."""
    _expect_living(trial, trial.target)


def _expect_living(trial: Trial, ending: Ending) -> None:
    if trial.directory(ending).deleted:
        at = ending.directory.path
        raise trial.refuse("ENOENT", at, deleted(at))


@step
def entry_length(trial: Trial) -> None:
    """The last name fits into NAME_MAX."""
    _expect_entry_length(trial, trial.last)


@step
def second_entry_length(trial: Trial) -> None:
    """The last name of the second path fits into NAME_MAX."""
    _expect_entry_length(trial, trial.target)


def _expect_entry_length(trial: Trial, ending: Ending) -> None:
    if size_of(ending.name) > trial.rules.name_max:
        raise trial.refuse(
            "ENAMETOOLONG", ending.path, f"a name may have {trial.rules.name_max} bytes, this one has more"
        )


@step
def absent(trial: Trial) -> None:
    """Nothing has the name: not a socket of a dead server either, nor a symlink, wherever it points."""
    number = trial.entry(trial.last)
    if number is not None:
        kind = trial.system.inodes[number].kind
        raise trial.refuse(_taken(trial), trial.at, f"{trial.at} is there already, as a {kind}")


def _taken(trial: Trial) -> str:
    """What POSIX calls a name that is taken."""
    return "EADDRINUSE" if trial.attempt.operation == "bind" else "EEXIST"


@step
def no_closing_slash(trial: Trial) -> None:
    """A path that ends in a slash asks for a directory, and bind makes none."""
    if trial.last.slash:
        raise trial.refuse("ENOENT", trial.at, f"the path ends in a slash, and {trial.at} is not a directory")


@step
def not_the_root(trial: Trial) -> None:
    """The path is more than slashes. (At the machine's own root XNU says EEXIST to bind; a place's is a chroot's.)"""
    if trial.last.sort == "root":
        raise Refused("EISDIR", trial.at, "the path is the root directory")


@step
def slash_only_on_a_directory(trial: Trial) -> None:
    """A slash after what is there asks for a directory."""
    number = trial.entry(trial.last)
    if trial.last.slash and number is not None and trial.system.inodes[number].kind != "directory":
        kind = trial.system.inodes[number].kind
        raise trial.refuse("ENOTDIR", trial.at, f"the path ends in a slash, and {trial.at} is a {kind}")


@step
def writable_mount(trial: Trial) -> None:
    """The directory is on a file system and a mount that take changes."""
    if trial.system.frozen(trial.last.directory):
        raise trial.refuse("EROFS", trial.last.directory.path, f"{trial.last.directory.path} is mounted read-only")


@step
def may_create(trial: Trial) -> None:
    """Write and search permission on the directory."""
    trial.want(trial.last.directory, WRITE | SEARCH)


@step
def create(trial: Trial) -> None:
    """Effect of bind: a socket with 0777 without the umask's bits. The attempt closes it again, so it is stale.

    The umask counts in a directory with a default ACL too (net/unix/af_unix.c, `unix_bind_bsd`).
    """
    make(trial, "socket", 0o777 & ~UMASK)


@step
def create_file(trial: Trial) -> None:
    """Effect of create: a file. In a setgid directory it is setgid itself only if its maker is in that group.

    fs/inode.c, `mode_strip_sgid`.
    """
    directory = trial.directory(trial.last)
    mode = _asked(trial, 0o666)
    who = maker(trial)
    executes = mode & (SETGID | 0o010) == SETGID | 0o010
    may = member(who, directory.gid) or capable(who, "CAP_FSETID", trial.rules)
    if executes and directory.mode & SETGID and not may:
        mode &= ~SETGID
    make(trial, "file", _masked(trial, mode))


@step
def make_directory(trial: Trial) -> None:
    """Effect of mkdir: a directory, which is setgid if the one that it is in is. No other such bit can be asked for.

    fs/namei.c, `vfs_mkdir`; fs/inode.c, `inode_init_owner`.
    """
    directory = trial.directory(trial.last)
    mode = _asked(trial, 0o777) & (STICKY | 0o777)
    inherited = directory.mode & SETGID if trial.rules.new_group != "directory" else 0
    make(trial, "directory", _masked(trial, mode) | inherited)


def _asked(trial: Trial, usual: int) -> int:
    """The mode that is asked for. The server of a FUSE mount asks for permission bits alone (bindfs(1))."""
    mode = usual if trial.attempt.mode is None else trial.attempt.mode
    return mode if trial.system.fuse(trial.last.directory) is None else mode & 0o777


def _masked(trial: Trial, mode: int) -> int:
    """The mode without the umask's bits, unless the directory has a default ACL.

    FUSE takes them away in any directory (fs/fuse/dir.c, `fuse_create_open` and `fuse_mkdir`).
    """
    fuse = trial.system.fuse(trial.last.directory)
    return mode & ~UMASK if fuse is not None or trial.directory(trial.last).default is None else mode


def make(trial: Trial, kind: Literal["socket", "file", "directory"], mode: int) -> None:
    """Something new under the last name, its maker's, with what it inherits of its directory.

    Of a default ACL the entries of owner, mask and others are kept within the mode (fs/posix_acl.c,
    `posix_acl_create_masq`), and the others are taken over as they are.
    """
    directory = trial.directory(trial.last)
    who = maker(trial)
    inherits = trial.rules.new_group == "directory" or directory.mode & SETGID
    default = directory.default
    made = Inode(
        kind=kind,
        uid=who.uid,
        gid=directory.gid if inherits else who.gid,
        mode=mode if default is None else mode & (default.mode | ~0o777),
        acl=None if default is None else default.acl,
        type=trial.attempt.type,
        state="stale",
        default=default if kind == "directory" else None,
        label=directory.label,
    )
    trial.system = trial.system.with_entry(trial.last.directory.inode, trial.last.name, made)


def maker(trial: Trial) -> Principal:
    """Who makes what is made: a FUSE mount's server, which is root's, or who asks."""
    return trial.principal if trial.system.fuse(trial.last.directory) is None else ROOT
