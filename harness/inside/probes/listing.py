"""What is at some paths: without following a symlink, and with what is inside."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.inside.reports import Sighting

KINDS = (
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "symlink"),
    (stat.S_ISREG, "file"),
)


# What the call for one kind's content says where something of another kind stands by then, or nothing.
REPLACED = (errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO)


def look(path: str) -> Sighting | None:
    """What is there, or `None` if nothing is."""
    while True:
        try:
            there = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        kind = next((kind for test, kind in KINDS if test(there.st_mode)), "other")
        try:
            content = _content(path, kind)
            break
        except OSError as error:
            if error.errno not in REPLACED:
                raise
    return {
        "kind": kind,
        "mode": stat.S_IMODE(there.st_mode),
        "uid": there.st_uid,
        "gid": there.st_gid,
        "device": there.st_dev,
        "inode": there.st_ino,
        "content": content,
    }


def _content(path: str, kind: str) -> str | list[str] | None:
    if kind == "file":
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # never waits, whatever came there
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read(4096)
    if kind == "directory":
        return sorted(os.listdir(path))
    return os.readlink(path) if kind == "symlink" else None


def main(paths: list[str]) -> None:
    """Print an object: what is at each path."""
    print(json.dumps({path: look(path) for path in paths}))
