"""What each operation checks, one function a check. The order of the checks is `Rules.steps`.

A step looks at the attempt in progress, raises `Refused` or notes what it found. Only the last step of an operation
has an effect, which is another file system.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, get_args

from harness.oracle.filesystem import Inode, Spot
from harness.oracle.lookup import STICKY, Ending, Lookup, Refused
from harness.oracle.permission import SEARCH, WRITE, Permission, capable, member, permission
from harness.oracle.reasons import deleted, out_of_reach_through_fuse, queue_is_full, replaced
from harness.oracle.rules import StepName
from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.oracle.filesystem import FileSystem
    from harness.oracle.rules import Rules
    from harness.world import Attempt, FilteredCall, Operation, Principal

SETGID = 0o2000
UMASK = 0o022
"""The umask with which every attempt of bind is made."""


@dataclass(slots=True)
class Trial:
    """One attempt on its way through the steps.

    `found` is what the path names, `ending` its last component where that need not exist, `second` rename's.
    `answer` is the last permission that was asked for, `asked` where it was asked for. `settled`: the kernel is
    done with it, and no further step counts.
    """

    system: FileSystem
    principal: Principal
    attempt: Attempt
    rules: Rules
    top: Spot
    found: Spot | None = None
    ending: Ending | None = None
    second: Ending | None = None
    answer: Permission | None = None
    asked: Spot | None = None
    at: str = ""
    settled: bool = False
    lookup: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.system, self.principal, self.rules, self.top)

    @property
    def spot(self) -> Spot:
        """What the path was found to name."""
        assert self.found is not None
        return self.found

    @property
    def inode(self) -> Inode:
        """The inode that the path was found to name."""
        return self.system.inodes[self.spot.inode]

    @property
    def last(self) -> Ending:
        """The last component of the path."""
        assert self.ending is not None
        return self.ending

    @property
    def target(self) -> Ending:
        """The last component of rename's second path."""
        assert self.second is not None
        return self.second

    def entry(self, ending: Ending) -> int | None:
        """The inode under a name, without looking at what is mounted upon it."""
        return self.system.names[ending.directory.inode].get(ending.name)

    def want(self, spot: Spot, wanted: int) -> None:
        """Ask for a permission on what is at a spot; refuse with EACCES if it is not granted."""
        self.lookup.enter(spot)
        answer = permission(self.principal, self.system.shown(spot), wanted, self.rules)
        self.answer, self.asked = answer, spot
        if not answer.granted:
            raise Refused("EACCES", spot.path, "", answer, spot)

    def refuse(self, usual: str, at: str, why: str) -> Refused:
        """A refusal with this kernel's errno for what POSIX calls `usual`."""
        return Refused(self.rules.error(self.attempt.operation, usual), at, why)


STEPS: dict[StepName, Callable[[Trial], None]] = {}
"""The steps by the names that `Rules.steps` uses."""


def _step(step: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """Register a step by its own name."""
    STEPS[cast("StepName", step.__name__)] = step
    return step


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))


# --- what a process is held to ---------------------------------------------------------------------------------------

CALLS: Mapping[Operation, tuple[FilteredCall, ...]] = {
    "connect": ("socket", "connect"),
    "bind": ("socket", "bind"),
    "unlink": ("unlink",),
    "rename": ("rename",),
    "chmod": ("chmod",),
}
"""The calls that an operation makes, in their order."""


@_step
def allowed_call(trial: Trial) -> None:
    """No filter of system calls refuses the call, which it does before the kernel looks at any argument."""
    trial.at = trial.attempt.path
    refused = {} if trial.principal.confined is None else dict(trial.principal.confined.seccomp)
    for call in CALLS.get(trial.attempt.operation, ()):
        if call in refused:
            what = "the making of Unix sockets" if call == "socket" else f"the system call {call}"
            raise Refused(
                refused[call], trial.at, f"a filter of system calls (seccomp) refuses {what} with {refused[call]}"
            )


def _domain(trial: Trial) -> frozenset[str]:
    return frozenset() if trial.principal.confined is None else trial.principal.confined.landlock


@_step
def may_make_sockets(trial: Trial) -> None:
    """No Landlock domain takes the making of sockets away."""
    if "bind" in _domain(trial):
        raise Refused(
            "EACCES",
            trial.last.directory.path,
            f"the process's Landlock domain lets it make no sockets in {trial.last.directory.path}",
        )


@_step
def may_move_sockets(trial: Trial) -> None:
    """Who may make no sockets may move none; and a domain over files keeps all else in its directory.

    security/landlock/fs.c, `current_check_refer_path`, from ABI 2 on: a name asks for the right to make what it is of,
    and another directory for LANDLOCK_ACCESS_FS_REFER, which every domain lacks unless it is given.
    """
    if "bind" not in _domain(trial):
        return
    there = trial.target.directory
    if _victim(trial, trial.last)[1].kind == "socket":
        raise Refused("EACCES", there.path, f"the process's Landlock domain lets it bring no sockets to {there.path}")
    if trial.last.directory.inode != there.inode:
        raise Refused("EXDEV", trial.at, f"the process's Landlock domain keeps {trial.at} in its directory")


@_step
def within_domain(trial: Trial) -> None:
    """The abstract name's socket is of the process's own Landlock domain; those of a world are of none."""
    if "abstract" in _domain(trial):
        raise Refused(
            "EPERM",
            trial.at,
            f"the process's Landlock domain keeps it from abstract sockets of processes outside, and {trial.at} is one",
        )


# --- what a path may look like ---------------------------------------------------------------------------------------


@_step
def address(trial: Trial) -> None:
    """The path fits into sun_path, without a closing NUL. (C libraries and Python want room for the NUL too.)"""
    path, limit, size = trial.attempt.path, trial.rules.sun_path, _bytes(trial.attempt.path)
    trial.at = path
    if size > limit:
        raise trial.refuse("EINVAL", path, f"sun_path holds {limit} bytes, and the path has {size}")


@_step
def length(trial: Trial) -> None:
    """The paths fit into PATH_MAX."""
    for path in (trial.attempt.path, trial.attempt.to or ""):
        if _bytes(path) >= trial.rules.path_max:
            raise trial.refuse(
                "ENAMETOOLONG", path, f"a path has at most {trial.rules.path_max - 1} bytes, this one {_bytes(path)}"
            )


# --- where it leads --------------------------------------------------------------------------------------------------


@_step
def follow(trial: Trial) -> None:
    """The whole path, symlinks followed."""
    trial.found = trial.lookup.to(trial.attempt.path, follow=True)
    trial.at = trial.spot.path


@_step
def no_follow(trial: Trial) -> None:
    """The whole path, but not through a symlink at its end."""
    trial.found = trial.lookup.to(trial.attempt.path, follow=False)
    trial.at = trial.spot.path


@_step
def parent(trial: Trial) -> None:
    """The path up to its last component."""
    trial.ending = trial.lookup.parent(trial.attempt.path)
    trial.at = trial.last.path


@_step
def parent_behind_links(trial: Trial) -> None:
    """The path up to its last component, which is followed as long as it is a symlink."""
    parent(trial)
    for _ in range(trial.rules.symlinks + 1):
        number = trial.entry(trial.last)
        if number is None or trial.system.inodes[number].kind != "symlink":
            return
        lookup = Lookup(trial.system, trial.principal, trial.rules, trial.top)
        lookup.start = trial.last.directory
        trial.ending = lookup.parent(trial.system.inodes[number].target)
        trial.at = trial.last.path
    raise trial.refuse("ELOOP", trial.at, f"more than {trial.rules.symlinks} symlinks lead here")


@_step
def second_parent(trial: Trial) -> None:
    """Rename's second path up to its last component."""
    trial.second = trial.lookup.parent(trial.attempt.to or "")


# --- sockets ---------------------------------------------------------------------------------------------------------


@_step
def write(trial: Trial) -> None:
    """Write permission on what the path names, whatever it is. That the mount is read-only is no reason."""
    trial.want(trial.spot, WRITE)


@_step
def is_socket(trial: Trial) -> None:
    """It is a socket."""
    if trial.inode.kind != "socket":
        raise trial.refuse("ENOTSOCK", trial.at, f"{trial.at} is a {trial.inode.kind}, not a socket")


@_step
def let_in(trial: Trial) -> None:
    """The mount lets in who asks what is there (`fuse_getattr`, `fuse_setattr`)."""
    trial.lookup.enter(trial.spot)


@_step
def is_open(trial: Trial) -> None:
    """Some process has a socket open that was bound on this inode, and not on one that is shown as the same file."""
    if trial.system.state(trial.spot) != "stale":
        return
    why = f"{trial.at} is stale: the socket that was bound to it is closed"
    if trial.system.fuse(trial.spot) is not None:
        why = out_of_reach_through_fuse(trial.at)
    elif trial.inode.deleted:
        why = replaced(trial.at)
    raise trial.refuse("ECONNREFUSED", trial.at, why)


@_step
def same_type(trial: Trial) -> None:
    """Both ends are of one type."""
    ours, theirs = trial.attempt.type, trial.inode.type
    if ours != theirs:
        raise trial.refuse(
            "EPROTOTYPE", trial.at, f"a {ours} socket can't be connected to the {theirs} socket {trial.at}"
        )


@_step
def is_listening(trial: Trial) -> None:
    """Somebody called listen() on it. Datagram sockets have no such state."""
    if _state(trial) == "bound" and trial.attempt.type != "dgram":
        raise trial.refuse("ECONNREFUSED", trial.at, f"{trial.at} is bound, but nobody called listen() on it")


@_step
def has_room(trial: Trial) -> None:
    """Its queue takes one more (`unix_recvq_full_lockless`): attempts do not wait until it does."""
    if _state(trial) == "full":
        raise trial.refuse("EAGAIN", trial.at, queue_is_full(trial.at))


def _state(trial: Trial) -> str | None:
    return _abstract_state(trial) if trial.found is None else trial.system.state(trial.spot)


def _abstract_state(trial: Trial) -> str | None:
    attempt = trial.attempt
    return trial.system.abstract.get((attempt.path, attempt.type, attempt.network))


@_step
def known(trial: Trial) -> None:
    """A socket of this type has the abstract name. No permission is asked for."""
    if _abstract_state(trial) is None:
        raise trial.refuse("ECONNREFUSED", trial.at, f"no {trial.attempt.type} socket has the abstract name {trial.at}")


@_step
def unclaimed(trial: Trial) -> None:
    """No socket of this type has the abstract name."""
    if _abstract_state(trial) is not None:
        raise trial.refuse(
            "EADDRINUSE", trial.at, f"another {trial.attempt.type} socket has the abstract name {trial.at}"
        )


# --- making a name ---------------------------------------------------------------------------------------------------


@_step
def free_name(trial: Trial) -> None:
    """The last component is a name, not `.`, `..` or nothing: those are there already."""
    if trial.last.sort != "name":
        raise trial.refuse("EADDRINUSE", trial.at, f"the path ends in {trial.at}, which is there already")


@_step
def living(trial: Trial) -> None:
    """The directory has not been deleted: else nothing can be made in it (`lookup_one_qstr_excl` in fs/namei.c)."""
    if trial.system.inodes[trial.last.directory.inode].deleted:
        at = trial.last.directory.path
        raise trial.refuse("ENOENT", at, deleted(at))


@_step
def second_living(trial: Trial) -> None:
    """The second directory has not been deleted."""
    if trial.system.inodes[trial.target.directory.inode].deleted:
        at = trial.target.directory.path
        raise trial.refuse("ENOENT", at, deleted(at))


@_step
def entry_length(trial: Trial) -> None:
    """The last name fits into NAME_MAX."""
    _entry_length(trial, trial.last)


@_step
def second_entry_length(trial: Trial) -> None:
    """The last name of the second path fits into NAME_MAX."""
    _entry_length(trial, trial.target)


def _entry_length(trial: Trial, ending: Ending) -> None:
    if _bytes(ending.name) > trial.rules.name_max:
        raise trial.refuse(
            "ENAMETOOLONG", ending.path, f"a name may have {trial.rules.name_max} bytes, this one has more"
        )


@_step
def absent(trial: Trial) -> None:
    """Nothing has the name: not a socket of a dead server either, nor a symlink, wherever it points."""
    number = trial.entry(trial.last)
    if number is not None:
        kind = trial.system.inodes[number].kind
        raise trial.refuse("EADDRINUSE", trial.at, f"{trial.at} is there already, as a {kind}")


@_step
def no_closing_slash(trial: Trial) -> None:
    """A path that ends in a slash asks for a directory, and bind makes none."""
    if trial.last.slash:
        raise trial.refuse("ENOENT", trial.at, f"the path ends in a slash, and {trial.at} is no directory")


@_step
def not_the_root(trial: Trial) -> None:
    """The path is more than slashes. (At the machine's own root XNU says EEXIST to bind; a place's is a chroot's.)"""
    if trial.last.sort == "root":
        raise Refused("EISDIR", trial.at, "the path is the root directory")


@_step
def slash_only_on_a_directory(trial: Trial) -> None:
    """A slash after what is there asks for a directory."""
    number = trial.entry(trial.last)
    if trial.last.slash and number is not None and trial.system.inodes[number].kind != "directory":
        kind = trial.system.inodes[number].kind
        raise trial.refuse("ENOTDIR", trial.at, f"the path ends in a slash, and {trial.at} is a {kind}")


@_step
def writable_mount(trial: Trial) -> None:
    """The directory is on a file system and a mount that take changes."""
    if trial.system.frozen(trial.last.directory):
        raise trial.refuse("EROFS", trial.last.directory.path, f"{trial.last.directory.path} is mounted read-only")


@_step
def may_create(trial: Trial) -> None:
    """Write and search permission on the directory."""
    trial.want(trial.last.directory, WRITE | SEARCH)


@_step
def create(trial: Trial) -> None:
    """Effect of bind: a socket with 0777 without the umask's bits. The attempt closes it again, so it is stale."""
    directory = trial.system.inodes[trial.last.directory.inode]
    maker = _maker(trial)
    inherits = trial.rules.new_group == "directory" or directory.mode & SETGID
    made = Inode(
        kind="socket",
        uid=maker.uid,
        gid=directory.gid if inherits else maker.gid,
        mode=0o777 & ~UMASK,
        type=trial.attempt.type,
        state="stale",
    )
    trial.system = trial.system.with_entry(trial.last.directory.inode, trial.last.name, made)


def _maker(trial: Trial) -> Principal:
    """Who makes what is made: a FUSE mount's server, which is root's, or who asks."""
    return trial.principal if trial.system.fuse(trial.last.directory) is None else ROOT


# --- removing a name -------------------------------------------------------------------------------------------------


@_step
def removable_name(trial: Trial) -> None:
    """The last component is a name, not a directory by its nature."""
    if trial.last.sort != "name":
        raise trial.refuse("EISDIR", trial.at, f"the path ends in {trial.at}, which is a directory")


@_step
def present(trial: Trial) -> None:
    """Something has the name."""
    if trial.entry(trial.last) is None:
        raise trial.refuse(
            "ENOENT", trial.at, f"there is nothing named {trial.last.name} in {trial.last.directory.path}"
        )


def _victim(trial: Trial, ending: Ending) -> tuple[int, Inode]:
    number = trial.entry(ending)
    assert number is not None
    return number, trial.system.inodes[number]


@_step
def no_slash_on_it(trial: Trial) -> None:
    """A path that ends in a slash names a directory, which unlink does not remove."""
    if trial.last.slash:
        kind = _victim(trial, trial.last)[1].kind
        outcome = "EISDIR" if kind == "directory" else "ENOTDIR"
        raise trial.refuse(outcome, trial.at, f"the path ends in a slash, and {trial.at} is a {kind}")


@_step
def may_delete(trial: Trial) -> None:
    """Write and search permission on the directory; the thing's own mode does not count."""
    trial.want(trial.last.directory, WRITE | SEARCH)


@_step
def not_sticky(trial: Trial) -> None:
    """In a sticky directory: the thing is one's own, or the directory is, or CAP_FOWNER."""
    _not_sticky(trial, trial.last)


def _privileged(trial: Trial) -> str:
    """Who may change what is another's."""
    return "CAP_FOWNER" if trial.rules.capabilities else "root"


def _not_sticky(trial: Trial, ending: Ending) -> None:
    directory = trial.system.inodes[ending.directory.inode]
    owner = _victim(trial, ending)[1].uid
    owns = trial.principal.uid in {owner, directory.uid} or capable(trial.principal, "CAP_FOWNER", trial.rules)
    if directory.mode & STICKY and not owns:
        raise trial.refuse(
            "EPERM",
            ending.path,
            f"{ending.directory.path} is sticky: {ending.path} belongs to uid {owner}, and only that user, "
            f"the directory's owner (uid {directory.uid}) and {_privileged(trial)} may take its name away",
        )


@_step
def not_a_directory(trial: Trial) -> None:
    """Unlink removes anything but a directory."""
    if _victim(trial, trial.last)[1].kind == "directory":
        raise trial.refuse("EISDIR", trial.at, f"{trial.at} is a directory")


@_step
def not_mounted_upon(trial: Trial) -> None:
    """Nothing is mounted upon it."""
    _not_mounted_upon(trial, trial.last)


def _not_mounted_upon(trial: Trial, ending: Ending) -> None:
    if trial.system.is_mount_point(_victim(trial, ending)[0]):
        raise trial.refuse("EBUSY", ending.path, f"something is mounted upon {ending.path}")


@_step
def remove(trial: Trial) -> None:
    """Effect of unlink."""
    trial.system = trial.system.without_entry(trial.last.directory, trial.last.name)


# --- moving a name ---------------------------------------------------------------------------------------------------


@_step
def same_mount(trial: Trial) -> None:
    """Both directories are seen through one mount: two mounts of one file system do not do."""
    if trial.last.directory.mount != trial.target.directory.mount:
        raise trial.refuse(
            "EXDEV",
            trial.at,
            f"{trial.last.directory.path} and {trial.target.directory.path} are seen through different mounts",
        )


@_step
def movable_names(trial: Trial) -> None:
    """Both last components are names."""
    for ending in (trial.last, trial.target):
        if ending.sort != "name":
            raise trial.refuse("EBUSY", ending.path, f"the path ends in {ending.path}, which has no name to be moved")


@_step
def slashes_only_on_directories(trial: Trial) -> None:
    """A slash after either name asks for a directory."""
    kind = _victim(trial, trial.last)[1].kind
    for ending in (trial.last, trial.target):
        if kind != "directory" and ending.slash:
            raise trial.refuse("ENOTDIR", trial.at, f"a path ends in a slash, and {trial.at} is a {kind}")


def _line(ending: Ending) -> list[int]:
    """The inodes from a directory up to the top of its mount."""
    spot: Spot | None = ending.directory
    line = []
    while spot is not None and spot.mount == ending.directory.mount:
        line.append(spot.inode)
        spot = spot.above
    return line


@_step
def not_into_itself(trial: Trial) -> None:
    """A directory can't be moved below itself."""
    number = trial.entry(trial.last)
    moves = trial.last.directory.inode != trial.target.directory.inode
    if moves and number in _line(trial.target):
        raise trial.refuse("EINVAL", trial.at, f"{trial.target.path} is inside {trial.at}")


@_step
def not_over_an_ancestor(trial: Trial) -> None:
    """Nothing can take the place of a directory that it is inside of."""
    number = trial.entry(trial.target)
    moves = trial.last.directory.inode != trial.target.directory.inode
    if moves and number is not None and number in _line(trial.last):
        raise trial.refuse("ENOTEMPTY", trial.target.path, f"{trial.at} is inside {trial.target.path}")


@_step
def unless_the_same(trial: Trial) -> None:
    """Two names of one thing: nothing to do, whoever asks."""
    trial.settled = trial.entry(trial.last) == trial.entry(trial.target)


@_step
def may_create_or_replace(trial: Trial) -> None:
    """Write and search permission on the second directory; what is there must be one's to replace, and of a kind."""
    trial.want(trial.target.directory, WRITE | SEARCH)
    if trial.entry(trial.target) is None:
        return
    _not_sticky(trial, trial.target)
    ours = _victim(trial, trial.last)[1].kind
    theirs = _victim(trial, trial.target)[1].kind
    if ours == "directory" and theirs != "directory":
        raise trial.refuse("ENOTDIR", trial.target.path, f"a directory can't replace {trial.target.path}, a {theirs}")
    if ours != "directory" and theirs == "directory":
        raise trial.refuse("EISDIR", trial.target.path, f"a {ours} can't replace {trial.target.path}, a directory")


@_step
def may_move_a_directory(trial: Trial) -> None:
    """A directory that gets another parent has its `..` written, which takes write permission on it."""
    number, inode = _victim(trial, trial.last)
    if inode.kind == "directory" and trial.last.directory.inode != trial.target.directory.inode:
        trial.want(Spot(trial.last.directory.mount, number, trial.last.name, trial.last.directory), WRITE)


@_step
def neither_mounted_upon(trial: Trial) -> None:
    """Nothing is mounted upon either."""
    _not_mounted_upon(trial, trial.last)
    if trial.entry(trial.target) is not None:
        _not_mounted_upon(trial, trial.target)


@_step
def empty_target(trial: Trial) -> None:
    """A directory that is replaced has nothing in it."""
    number = trial.entry(trial.target)
    if number is not None and trial.system.names.get(number):
        raise trial.refuse("ENOTEMPTY", trial.target.path, f"{trial.target.path} is a directory with something in it")


@_step
def move(trial: Trial) -> None:
    """Effect of rename."""
    here, there = trial.last, trial.target
    trial.system = trial.system.moved(here.directory, here.name, there.directory, there.name)


# --- reading and changing what is there ------------------------------------------------------------------------------


@_step
def is_symlink(trial: Trial) -> None:
    """It is a symlink."""
    if trial.inode.kind != "symlink":
        raise trial.refuse("EINVAL", trial.at, f"{trial.at} is a {trial.inode.kind}, not a symlink")


@_step
def writable_mount_of_it(trial: Trial) -> None:
    """It is on a file system and a mount that take changes."""
    if trial.system.frozen(trial.spot):
        raise trial.refuse("EROFS", trial.at, f"{trial.at} is on a read-only mount")


@_step
def ownership(trial: Trial) -> None:
    """It is one's own, or CAP_FOWNER."""
    if trial.principal.uid != trial.inode.uid and not capable(trial.principal, "CAP_FOWNER", trial.rules):
        raise trial.refuse(
            "EPERM",
            trial.at,
            f"{trial.at} belongs to uid {trial.inode.uid}; only its owner and {_privileged(trial)} may chmod",
        )


@_step
def change_mode(trial: Trial) -> None:
    """Effect of chmod. Without membership in the thing's group or CAP_FSETID the setgid bit is dropped in silence."""
    assert trial.attempt.mode is not None
    mode = trial.attempt.mode
    if not member(trial.principal, trial.inode.gid) and not capable(trial.principal, "CAP_FSETID", trial.rules):
        mode &= ~SETGID
    trial.system = trial.system.with_inode(trial.spot.inode, dataclasses.replace(trial.inode, mode=mode))


assert STEPS.keys() == set(get_args(StepName)), "each name has a step, and each step a name"
