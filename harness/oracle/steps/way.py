"""What a path may look like, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.oracle.lookup import Lookup
from harness.oracle.steps.trial import size_of, step

if TYPE_CHECKING:
    from harness.oracle.steps.trial import Trial


@step
def address(trial: Trial) -> None:
    """The path fits into sun_path, without a closing NUL. (C libraries and Python want room for the NUL too.)"""
    path, limit, size = trial.attempt.path, trial.rules.sun_path, size_of(trial.attempt.path)
    trial.at = path
    if size > limit:
        raise trial.refuse("EINVAL", path, f"sun_path holds {limit} bytes, and the path has {size}")


@step
def length(trial: Trial) -> None:
    """The paths fit into PATH_MAX."""
    for path in (trial.attempt.path, trial.attempt.to or ""):
        if size_of(path) >= trial.rules.path_max:
            raise trial.refuse(
                "ENAMETOOLONG", path, f"a path has at most {trial.rules.path_max - 1} bytes, this one {size_of(path)}"
            )


@step
def follow(trial: Trial) -> None:
    """The whole path, symlinks followed."""
    trial.found = trial.lookup.to(trial.attempt.path, follow=True)
    trial.at = trial.spot.path


@step
def no_follow(trial: Trial) -> None:
    """The whole path, but not through a symlink at its end."""
    trial.found = trial.lookup.to(trial.attempt.path, follow=False)
    trial.at = trial.spot.path


@step
def parent(trial: Trial) -> None:
    """The path up to its last component."""
    trial.ending = trial.lookup.parent(trial.attempt.path)
    trial.at = trial.last.path


@step
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


@step
def ending_behind_links(trial: Trial) -> None:
    """The path up to its last component, which is followed as O_CREAT does: not if a slash comes after it.

    fs/namei.c, `open_last_lookups`.
    """
    trial.ending = trial.lookup.ending(trial.attempt.path)
    trial.at = trial.last.path


@step
def second_parent(trial: Trial) -> None:
    """Rename's second path up to its last component."""
    trial.second = trial.lookup.parent(trial.attempt.to or "")
