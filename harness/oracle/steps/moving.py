"""Moving a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.permission import SEARCH, WRITE
from harness.oracle.steps.removing import (
    expect_names_may_go,
    expect_no_kept_name,
    expect_not_mounted_upon,
    expect_not_sticky,
)
from harness.oracle.steps.trial import step

if TYPE_CHECKING:
    from harness.oracle.filesystem import Spot
    from harness.oracle.lookup import Ending
    from harness.oracle.steps.trial import Trial


@step
def same_mount(trial: Trial) -> None:
    """Both directories are seen through one mount: two mounts of one file system do not do."""
    if trial.last.directory.mount != trial.target.directory.mount:
        raise trial.refuse(
            "EXDEV",
            trial.at,
            f"{trial.last.directory.path} and {trial.target.directory.path} are seen through different mounts",
        )


@step
def movable_names(trial: Trial) -> None:
    """Both last components are names."""
    for ending in (trial.last, trial.target):
        if ending.sort != "name":
            raise trial.refuse("EBUSY", ending.path, f"the path ends in {ending.path}, which has no name to be moved")


@step
def slashes_only_on_directories(trial: Trial) -> None:
    """A slash after either name asks for a directory."""
    kind = trial.victim(trial.last)[1].kind
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


@step
def not_into_itself(trial: Trial) -> None:
    """A directory can't be moved below itself."""
    number = trial.entry(trial.last)
    moves = trial.last.directory.inode != trial.target.directory.inode
    if moves and number in _line(trial.target):
        raise trial.refuse("EINVAL", trial.at, f"{trial.target.path} is inside {trial.at}")


@step
def not_over_an_ancestor(trial: Trial) -> None:
    """Nothing can take the place of a directory that it is inside of."""
    number = trial.entry(trial.target)
    moves = trial.last.directory.inode != trial.target.directory.inode
    if moves and number is not None and number in _line(trial.last):
        raise trial.refuse("ENOTEMPTY", trial.target.path, f"{trial.at} is inside {trial.target.path}")


@step
def unless_the_same(trial: Trial) -> None:
    """Two names of one thing: nothing to do, whoever asks."""
    trial.settled = trial.entry(trial.last) == trial.entry(trial.target)


@step
def may_create_or_replace(trial: Trial) -> None:
    """Write and search permission on the second directory; what is there must be one's to replace, and of a kind."""
    trial.want(trial.target.directory, WRITE | SEARCH)
    if trial.entry(trial.target) is None:
        return
    expect_names_may_go(trial, trial.target)
    expect_not_sticky(trial, trial.target)
    expect_no_kept_name(trial, trial.target)
    ours = trial.victim(trial.last)[1].kind
    theirs = trial.victim(trial.target)[1].kind
    if ours == "directory" and theirs != "directory":
        raise trial.refuse("ENOTDIR", trial.target.path, f"a directory can't replace {trial.target.path}, a {theirs}")
    if ours != "directory" and theirs == "directory":
        raise trial.refuse("EISDIR", trial.target.path, f"a {ours} can't replace {trial.target.path}, a directory")


@step
def may_move_a_directory(trial: Trial) -> None:
    """A directory that gets another parent has its `..` written, which takes write permission on it."""
    if trial.victim(trial.last)[1].kind == "directory" and trial.last.directory.inode != trial.target.directory.inode:
        trial.want(trial.place(trial.last), WRITE)


@step
def neither_mounted_upon(trial: Trial) -> None:
    """Nothing is mounted upon either."""
    expect_not_mounted_upon(trial, trial.last)
    if trial.entry(trial.target) is not None:
        expect_not_mounted_upon(trial, trial.target)


@step
def not_of_an_image(trial: Trial) -> None:
    """Overlayfs does not move a directory that it has from a container's image, unless it is told to redirect."""
    number = trial.entry(trial.last)
    if number is not None and trial.system.standard.get(number) in trial.rules.staying:
        raise trial.refuse("EXDEV", trial.at, f"{trial.at} is a directory of the container's image")


@step
def empty_target(trial: Trial) -> None:
    """A directory that is replaced has nothing in it."""
    number = trial.entry(trial.target)
    if number is not None and trial.system.names.get(number):
        raise trial.refuse("ENOTEMPTY", trial.target.path, f"{trial.target.path} is a directory with something in it")


@step
def move(trial: Trial) -> None:
    """Effect of rename."""
    here, there = trial.last, trial.target
    trial.system = trial.system.moved(here.directory, here.name, there.directory, there.name)
