"""Directories in which users make things, and taking things away from there."""

from __future__ import annotations

import errno
import os
import shutil
import stat

from harness.inside.agent.mounts import mounted

SCRATCH = ("/home", "/mnt", "/run", "/srv", "/tmp", "/var/tmp")
"""Directories whose new entries, whoever made them, go away with the world."""
NOTHING_THERE = frozenset([errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP])


def remove(path: str) -> None:
    """Take away whatever is there, if anything is. Raises OSError."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
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
    shutil.rmtree(path)
    for directory, status in tree:
        os.mkdir(directory)
        os.chown(directory, status.st_uid, status.st_gid)
        os.chmod(directory, stat.S_IMODE(status.st_mode))
