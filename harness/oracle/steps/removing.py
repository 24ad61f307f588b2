"""Removing a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import STICKY
from harness.oracle.permission import SEARCH, WRITE, capable
from harness.oracle.steps.trial import flag_refuses, step

if TYPE_CHECKING:
    from harness.oracle.lookup import Ending
    from harness.oracle.steps.trial import Trial


@step
def removable_name(trial: Trial) -> None:
    """The last component is a name, not a directory by its nature."""
    if trial.last.sort != "name":
        raise trial.refuse("EISDIR", trial.at, f"the path ends in {trial.at}, which is a directory")


@step
def present(trial: Trial) -> None:
    """Something has the name."""
    if trial.entry(trial.last) is None:
        raise trial.refuse(
            "ENOENT", trial.at, f"there is nothing named {trial.last.name} in {trial.last.directory.path}"
        )


@step
def no_slash_on_it(trial: Trial) -> None:
    """A path that ends in a slash names a directory, which unlink does not remove."""
    if trial.last.slash:
        kind = trial.victim(trial.last)[1].kind
        outcome = "EISDIR" if kind == "directory" else "ENOTDIR"
        raise trial.refuse(outcome, trial.at, f"the path ends in a slash, and {trial.at} is a {kind}")


@step
def may_delete(trial: Trial) -> None:
    """Write and search permission on the directory; the thing's own mode does not count."""
    trial.want(trial.last.directory, WRITE | SEARCH)


@step
def not_sticky(trial: Trial) -> None:
    """In a sticky directory: the thing is one's own, or the directory is, or CAP_FOWNER."""
    expect_not_sticky(trial, trial.last)


@step
def names_may_go(trial: Trial) -> None:
    """The directory is not append-only, from which no name goes (`may_delete` in fs/namei.c)."""
    expect_names_may_go(trial, trial.last)


@step
def keeps_no_name(trial: Trial) -> None:
    """The thing is neither immutable nor append-only: such a thing keeps its name (`may_delete` in fs/namei.c)."""
    expect_no_kept_name(trial, trial.last)


def expect_names_may_go(trial: Trial, ending: Ending) -> None:
    """The same of any name."""
    if "append-only" in trial.directory(ending).flags:
        raise flag_refuses(ending.directory, "append-only")


def expect_no_kept_name(trial: Trial, ending: Ending) -> None:
    """The same of any name."""
    for flag in trial.victim(ending)[1].flags:
        raise flag_refuses(trial.place(ending), flag)


def expect_not_sticky(trial: Trial, ending: Ending) -> None:
    """The same of any name."""
    directory = trial.directory(ending)
    owner = trial.victim(ending)[1].uid
    owns = trial.principal.uid in {owner, directory.uid} or capable(trial.principal, "CAP_FOWNER", trial.rules)
    if directory.mode & STICKY and not owns:
        raise trial.refuse(
            "EPERM",
            ending.path,
            f"{ending.directory.path} is sticky: {ending.path} belongs to uid {owner}, and only that user, "
            f"the directory's owner (uid {directory.uid}) and {trial.privileged} may take its name away",
        )


@step
def not_a_directory(trial: Trial) -> None:
    """Unlink removes anything but a directory."""
    if trial.victim(trial.last)[1].kind == "directory":
        raise trial.refuse("EISDIR", trial.at, f"{trial.at} is a directory")


@step
def not_mounted_upon(trial: Trial) -> None:
    """Nothing is mounted upon it."""
    expect_not_mounted_upon(trial, trial.last)


def expect_not_mounted_upon(trial: Trial, ending: Ending) -> None:
    """The same of any name."""
    if trial.system.is_mount_point(trial.victim(ending)[0]):
        raise trial.refuse("EBUSY", ending.path, f"something is mounted upon {ending.path}")


@step
def remove(trial: Trial) -> None:
    """Effect of unlink."""
    trial.system = trial.system.without_entry(trial.last.directory, trial.last.name)
