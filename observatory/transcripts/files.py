"""Which transcripts there are, and reading them: JSON lines that other people's programs may have written.

Claude Code 2.1 keeps a session's main agent in `projects/PROJECT/SESSION.jsonl` of its directory, and each subagent in
`projects/PROJECT/SESSION/subagents/agent-ID.jsonl` (seen with 2.1.197 and 2.1.332). An event names its session's file,
which is its sender's word: it is read only if it belongs to that sender, so that nobody has another's file read.
"""

from __future__ import annotations

import errno
import math
import os
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final

from observatory.hooks.regular_file import check_regular, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LARGEST: Final = 4 * 1024**3
"""Bytes of a transcript that is read at most: the longest that people report have some hundreds of MB."""
LINE: Final = 64 * 1024**2
"""Bytes of a line that is read at most. What is longer holds a file's content or a picture, and is passed over."""
MOST: Final = 100_000
"""So many transcripts are read at most."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript's path, and whose it has to be."""

    path: str
    owner: int


def in_directory(directory: Path) -> Iterator[Transcript]:
    """The transcripts below a directory of Claude Code's settings, whosever they are; no link is followed.

    Raises OSError if a directory can't be read.
    """
    pending = [os.fspath(directory / "projects")]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.endswith(".jsonl"):
                    yield Transcript(entry.path, entry.stat(follow_symlinks=False).st_uid)


def of_session(path: str, owner: int) -> Iterator[Transcript]:
    """The transcripts of a session whose own is there: its own, and its subagents'."""
    yield Transcript(path, owner)
    subagents = os.path.join(path.removesuffix(".jsonl"), "subagents")
    try:
        with os.scandir(subagents) as entries:
            names = sorted(entry.path for entry in entries if entry.name.endswith(".jsonl"))
    except (OSError, ValueError):
        return
    for name in names:
        yield Transcript(name, owner)


def opened(transcript: Transcript) -> BinaryIO:
    """A transcript, open to be read. Raises OSError for one that is not its owner's, or no regular file."""

    def check(found: os.stat_result) -> None:
        check_regular(found)
        if found.st_uid != transcript.owner:
            raise PermissionError(errno.EPERM, f"it belongs to uid {found.st_uid}, not to uid {transcript.owner}")
        if found.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"it has more than {LARGEST // 1024**3} GiB")

    try:
        return open_regular(transcript.path, check)
    except ValueError as error:  # what no path can have: a null character, half of a pair of surrogates
        raise OSError(errno.EINVAL, str(error)) from None


def lines(transcript: Transcript) -> Iterator[bytes]:
    """The lines of a transcript, an empty one for each that is too long. Raises OSError.

    A last line without its end is left out: the client is still writing it.
    """
    left = LARGEST
    with opened(transcript) as file:
        while left > 0 and (line := file.readline(LINE)):
            left -= len(line)
            if line.endswith(b"\n"):
                yield line
                continue
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE)
                left -= len(line)
            if line:
                yield b""


def by_age(transcripts: Iterable[Transcript]) -> list[Transcript]:
    """Each transcript once, in the order in which they were last written to; what can't be looked at comes last.

    So an answer that a later session has taken over counts for the one that it was given in.
    """
    found = dict.fromkeys(islice(transcripts, MOST))
    return sorted(found, key=_written)


def _written(transcript: Transcript) -> float:
    try:
        return os.stat(transcript.path, follow_symlinks=False).st_mtime
    except (OSError, ValueError):
        return math.inf
