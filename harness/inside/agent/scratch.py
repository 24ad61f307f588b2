"""Directories in which users make things, and taking things away from there."""

from __future__ import annotations

import errno
import os
import stat

from harness.inside.agent.mounts import mounted

SCRATCH = ("/home", "/mnt", "/run", "/srv", "/tmp", "/var/tmp")
"""Directories that have nothing in them where no world is."""
OF_THE_IMAGE = ("/etc", "/opt", "/root", "/var", "/var/lib", "/var/log")
"""Directories that a container has from its image, with what is in them."""
KEPT = "/var/lib/harness-state"
"""What a server's setup has made, of which each world of a place gets a copy: the harness's own, and no world's."""
NOTHING_THERE = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP])


def remove(path: str) -> None:
    """Take away whatever is there, if anything is. Raises OSError."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            import shutil  # noqa: PLC0415 - it loads every way to compress; a place is there sooner without

            shutil.rmtree(path)
        else:
            os.unlink(path)
    except OSError as error:
        if error.errno not in NOTHING_THERE:
            raise


def make_anew(path: str) -> None:
    """Put a directory of the container's own in the place of one of its image, with the directories below.

    Overlayfs refuses to rename the image's (overlayfs(5), redirect_dir: EXDEV). One that holds anything else than
    directories, or a mount, stays.
    """
    walked = list(os.walk(path))
    entries = sum(len(directories) + len(files) for _, directories, files in walked)
    has_mount = any(target == path or target.startswith(f"{path}/") for target in mounted().values())
    if has_mount or entries != len(walked) - 1:
        return
    tree = [(directory, os.lstat(directory)) for directory, _, _ in walked]
    for directory, _ in reversed(tree):
        os.rmdir(directory)
    for directory, status in tree:
        os.mkdir(directory)
        os.chown(directory, status.st_uid, status.st_gid)
        os.chmod(directory, stat.S_IMODE(status.st_mode))


def stays(path: str) -> bool:
    """Whether a directory of a container can't be renamed, since overlayfs has it from an image."""
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    try:
        os.rename(path, f"{path}.moved")
    except OSError as error:
        return error.errno == errno.EXDEV
    os.rename(f"{path}.moved", path)
    return False
