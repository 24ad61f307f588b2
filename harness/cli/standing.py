"""What decides on a path, in short: while it stays, the reason of a failure there counts for others like it."""

from __future__ import annotations

import os
import stat

from harness.live.limits import in_thread

SECONDS = 1.0
_ACL = "system.posix_acl_access"


def standing(*paths: tuple[str, str]) -> tuple[object, ...]:
    """What each component of paths is, whose, and with which permissions; paths from given directories on."""
    try:
        return in_thread(lambda: tuple(_along(top, path) for top, path in paths), SECONDS)
    except TimeoutError:
        return ()  # a file system that does not answer


def _along(top: str, path: str) -> tuple[object, ...]:
    here, seen = top, list[object]()
    for name in path.split("/"):
        here = f"{here}/{name}"
        try:
            status = os.lstat(here)
            if stat.S_ISLNK(status.st_mode):
                seen.append(os.readlink(here))
                status = os.stat(here)
        except OSError as error:
            seen.append(error.errno)
            break
        seen.append((status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid, _acl(here)))
    return tuple(seen)


def _acl(path: str) -> bytes:
    try:
        return bytes(os.getxattr(path, _ACL))  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return b""
