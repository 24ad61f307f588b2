"""One attempt on its way through the steps, and the steps by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from harness.oracle.filesystem import Spot
from harness.oracle.lookup import Ending, Lookup, Refused
from harness.oracle.permission import READ, SEARCH, WRITE, Permission, permission
from harness.oracle.reasons import flagged

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.oracle.filesystem import FileSystem, Inode
    from harness.oracle.rules import Rules, StepName
    from harness.world import Attempt, InodeFlag, Principal


SETUID, SETGID = 0o4000, 0o2000


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

    def directory(self, ending: Ending) -> Inode:
        """The inode of the directory in which a name is, or would be."""
        return self.system.inodes[ending.directory.inode]

    def entry(self, ending: Ending) -> int | None:
        """The inode under a name, without looking at what is mounted upon it."""
        return self.system.names[ending.directory.inode].get(ending.name)

    def victim(self, ending: Ending) -> tuple[int, Inode]:
        """The number and the inode of what has a name: something does, as an earlier step has seen."""
        number = self.entry(ending)
        assert number is not None
        return number, self.system.inodes[number]

    def place(self, ending: Ending) -> Spot:
        """Where what has a name is, without looking at what is mounted upon it."""
        return Spot(ending.directory.mount, self.victim(ending)[0], ending.name, ending.directory)

    @property
    def given_to(self) -> tuple[int | None, int | None]:
        """The uid and the gid that chown gives: names have become numbers by now."""
        owner, group = self.attempt.owner, self.attempt.group
        assert not isinstance(owner, str)
        assert not isinstance(group, str)
        return owner, group

    @property
    def privileged(self) -> str:
        """Who may change what is another's."""
        return "CAP_FOWNER" if self.rules.capabilities else "root"

    def want(self, spot: Spot, wanted: int) -> None:
        """Ask for a permission on what is at a spot; refuse with EACCES if it is not granted.

        That something is immutable is looked at before (`inode_permission` in fs/namei.c).
        """
        if wanted & WRITE and "immutable" in self.system.inodes[spot.inode].flags:
            raise flag_refuses(spot, "immutable")
        self.lookup.enter(spot)
        answer = permission(self.principal, self.system.shown(spot), wanted, self.rules)
        self.answer, self.asked = answer, spot
        if not answer.granted:
            raise Refused("EACCES", spot.path, "", answer, spot)
        self.lookup.allow(spot, *self.asked_of_policy(spot, wanted))

    def asked_of_policy(self, spot: Spot, wanted: int) -> list[str]:
        """What SELinux calls permissions (`file_mask_to_av` in security/selinux/hooks.c)."""
        one = "search" if self.system.inodes[spot.inode].kind == "directory" else "execute"
        return [name for bit, name in ((READ, "read"), (WRITE, "write"), (SEARCH, one)) if wanted & bit]

    def refuse(self, usual: str, at: str, why: str, spot: Spot | None = None) -> Refused:
        """A refusal with this kernel's errno for what POSIX calls `usual`, about what is at `spot`."""
        return Refused(self.rules.error(self.attempt.operation, usual), at, why, spot=spot)


STEPS: dict[StepName, Callable[[Trial], None]] = {}
"""The steps by the names that `Rules.steps` uses: each of this package's modules registers its own."""


def step(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """Register a step by its own name."""
    STEPS[cast("StepName", function.__name__)] = function
    return function


def flag_refuses(spot: Spot, flag: InodeFlag) -> Refused:
    """The refusal of what is immutable or append-only."""
    return Refused("EPERM", spot.path, flagged(spot.path, flag), spot=spot, layer="inode flags")


def size_of(text: str) -> int:
    """How many bytes a path or a name has."""
    return len(text.encode(errors="surrogateescape"))
