"""Writing a file that was asked for by name, where others may have put something under that name, or on the way to it.

Made under a name that nobody can guess, beside its place, and renamed when it is whole: so nothing is ever written into
what was there before, and a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from harness.live.lookup import PATH_ONLY, open_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import TextIO


class OutputError(Exception):
    """A file can't be written, or is refused: one sentence."""


class WriteError(OutputError):
    """The system does not let a file be written, which was not refused: the disk is full, for example."""


def expect_writable(*files: Path | None) -> None:
    """Look whether these can be written, none in the place of another, before there is anything to write. Raises
    OutputError.
    """
    places = set()
    for file in files:
        if file is None:
            continue
        with _directory(file) as directory:
            _before(file, directory)
            there = os.fstat(directory)
            place = (there.st_dev, there.st_ino, file.name)
            if place in places:
                raise OutputError(f"{file} is not written: two outputs have this name; give each a name of its own")
            places.add(place)
            try:
                with _hidden(directory):
                    pass
            except OSError as error:
                raise OutputError(f"{file} can't be written: {error.strerror}") from error


def write_outputs(outputs: Iterable[tuple[Path | None, Callable[[], str]]]) -> list[OutputError]:
    """Write all that are asked for and can be written; why others were not."""
    failed = []
    for file, text in outputs:
        if file is not None:
            try:
                write_output(file, text())
            except OutputError as error:
                failed.append(error)
    return failed


def write_output(file: Path, text: str) -> None:
    """Write a file, new or in the place of a regular file of our own. Raises OutputError.

    On the way to it no symlink is followed but root's and our own, and at its end none at all.
    """
    with _directory(file) as directory:
        before = _before(file, directory)
        try:
            _replace(file.name, directory, text, before)
        except OSError as error:
            raise WriteError(f"{file} can't be written: {error.strerror}") from error


@contextlib.contextmanager
def _directory(file: Path) -> Iterator[int]:
    """The directory of a file, open. Raises OutputError."""
    try:
        directory = _open_directory(file)
    except OSError as error:
        raise OutputError(f"{file} can't be written: {error.strerror}") from error
    try:
        yield directory
    finally:
        os.close(directory)


def _open_directory(file: Path) -> int:
    def follow(link: os.stat_result) -> None:
        if link.st_uid not in {0, os.geteuid()}:
            raise OutputError(
                f"{file} is not written: a symlink on the way to it is uid {link.st_uid}'s, who may lead it anywhere"
            )

    top = os.open("/", PATH_ONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return open_below(top, str(file.parent.absolute()), PATH_ONLY | os.O_DIRECTORY, follow)
    finally:
        os.close(top)


def _before(file: Path, directory: int) -> os.stat_result | None:
    """What is to be replaced, if that is ours."""
    if not file.name:
        raise OutputError(f"{file} is not written: it is a directory's name, and no file's")
    try:
        found = os.stat(file.name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"{file} can't be written: {error.strerror}") from error
    if stat.S_ISLNK(found.st_mode):
        raise OutputError(f"{file} is not written: it is a symlink, which is not followed")
    if not stat.S_ISREG(found.st_mode):
        raise OutputError(f"{file} is not written: what is there is not a regular file")
    if found.st_uid != os.geteuid():
        raise OutputError(f"{file} is not written: what is there belongs to uid {found.st_uid}")
    return found


def _replace(name: str, directory: int, text: str, before: os.stat_result | None) -> None:
    with _hidden(directory) as (hidden, output):
        if before is not None:
            os.fchmod(output.fileno(), stat.S_IMODE(before.st_mode))
        output.write(text)
        output.close()
        os.rename(hidden, name, src_dir_fd=directory, dst_dir_fd=directory)


@contextlib.contextmanager
def _hidden(directory: int) -> Iterator[tuple[str, TextIO]]:
    """A new file under a name that nobody can guess; it is removed if it has that name still."""
    hidden = f".{os.urandom(8).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    # The name is made with what the umask leaves, as open() would have made the file.
    descriptor = os.open(hidden, flags, 0o666, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as output:
            yield hidden, output
    finally:
        with contextlib.suppress(OSError):
            os.unlink(hidden, dir_fd=directory)
