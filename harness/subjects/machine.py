"""What of this machine a server needs in a place: its program, files that its command names, accounts."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.world import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.engines.protocol import Place
    from harness.subjects.subject import Subject
    from harness.world import Principal

OF_THE_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/dev", "/proc", "/sys")
"""Directories that every place has of its own, or of this machine."""
PROGRAMS = ("bin", "sbin", "libexec")
SECRETS = (".ssh", ".gnupg", ".aws", ".netrc", ".config")
"""What tells somebody's home, which is not brought into a place by itself."""
SYSTEM_IDS = range(1, 1000)
NAMED = re.compile(r"(?:user|group|owner|uid|gid)\w*[\s=:>\"']+([a-z_][a-z0-9_-]*)", re.IGNORECASE)
"""How commands and configurations name an account: `--user=mysql`, `user www-data;`, `<user>messagebus</user>`."""


def named_accounts(subject: Subject) -> tuple[str, ...]:
    """The system accounts of this machine that the command, the environment or a configuration names."""
    texts = ("\n".join(subject.command), *subject.environment.values(), *(file.text for file in subject.configurations))
    words = {name for text in texts for name in NAMED.findall(text)}
    known = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid in SYSTEM_IDS}
    return tuple(sorted((words & known) - {subject.owner}))


def equipped(subject: Subject) -> Subject:
    """The subject with what of this machine it names: the directories of its program and files, and accounts."""
    return replace(
        subject,
        accounts=(*subject.accounts, *named_accounts(subject)),
        mounts=(*subject.mounts, *derived_mounts(subject.command, subject.mounts)),
    )


def derived_mounts(command: Sequence[str], given: Iterable[str]) -> tuple[str, ...]:
    """The directories of the program and of the files that the command names, where they may be brought in as they are.

    Read-only, and never a whole home or a directory that belongs to the system.
    """
    have = [mount.partition(":")[0] for mount in given]
    found: dict[str, None] = {}
    for file in _files(command):
        directory = _directory_of(file)
        covered = any(directory.is_relative_to(each) for each in (*have, *found))
        if not covered and _is_safe(directory):
            found[str(directory)] = None
    return tuple(found)


def _files(command: Sequence[str]) -> Iterator[Path]:
    """The files of this machine that a command names by their paths, its program first; no directories."""
    for word in (command[0], *(word.rpartition("=")[2] for word in command[1:])):
        if word.startswith("/") and "{" not in word and Path(word).is_file():
            yield Path(word)


def _directory_of(file: Path) -> Path:
    return file.parent.parent if file.parent.name in PROGRAMS else file.parent


def _is_safe(directory: Path) -> bool:
    home = Path.home()
    return not (
        any(directory.is_relative_to(each) for each in OF_THE_SYSTEM)
        or len(directory.parts) < 3
        or home.is_relative_to(directory)
        or any((directory / name).exists() for name in SECRETS)
    )


def missing(
    place: Place, command: Sequence[str], who: Principal, packages: Sequence[str] = (), directory: str = "/"
) -> str | None:
    """What of this machine the command names and the place lacks, or its user can't reach: a sentence, or `None`.

    `packages` are Debian's that bring the program, and `directory` is where it runs.
    """
    program = command[0]
    if not _is_there(place, 'command -v -- "$1" >/dev/null', program, who, directory):
        here = shutil.which(program)
        if here is not None and "/" in program and not program.startswith("/"):
            return f"{program} is not in {directory} of the place, where the command runs: write {_whole(program)}"
        if here is None:
            how = f": install Debian's {' and '.join(packages)}" if packages else ""
            return f"there is no program {program}, neither in the place nor on this machine{how}"
        return _sentence(place, here, Path(here))
    for file in _files(command):
        if place.run(["test", "-r", str(file)], who).status != 0:
            return _sentence(place, str(file), file)
    return None


def out_of_reach(place: Place, command: Sequence[str], who: Principal, directory: str, base: Path) -> str | None:
    """Of a command that failed, a file of this machine that it names relative to `base`, where it does not run: what to
    write, or `None`.
    """
    for word in command[1:]:
        if word.startswith(("/", "-")) or "{" in word or not (base / word).is_file():
            continue
        if not _is_there(place, 'test -e "$1"', word, who, directory):
            return f"{word} is not in {directory} of the place, where the command runs: write {_whole(base / word)}"
    return None


def _is_there(place: Place, test: str, name: str, who: Principal, directory: str) -> bool:
    """Whether a test of the name passes in the place; in its root, where there is no such directory yet."""
    return place.run(["sh", "-c", f'cd -- "$0" 2>/dev/null; {test}', directory, name], who).status == 0


def _whole(path: str | Path) -> str:
    return os.path.normpath(Path(path).absolute())


def _sentence(place: Place, named: str, file: Path) -> str:
    if place.run(["test", "-e", str(file)], ROOT).status == 0:
        return f"{named} is in the place, but the server's user may not reach it: look at the directories above it"
    directory = _directory_of(file)
    system = any(file.is_relative_to(each) for each in OF_THE_SYSTEM)
    how = (
        "packages = [...] in a subject file, --image, or --engine namespace"
        if system
        else f"--mount {directory} (in a subject file: mounts)"
    )
    return f"{named} is on this machine, not in the place: {how}"
