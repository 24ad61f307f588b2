"""A file of another mount namespace by a path of our own."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from harness.live.limits import in_child
from harness.live.mounts import read_mounts

if TYPE_CHECKING:
    from harness.live.components import Component
    from harness.live.mounts import MountPoint


def outside_path(component: Component, mount: MountPoint | None, root: str) -> str:
    """Where we find what a process sees as a component: by a mount of ours of the same file system, tried.

    Where there is none, by the process's own root directory `root`, which is there as long as that process is.
    """
    fallback = root.rstrip("/") + component.path
    inner = None if mount is None or mount.deleted else _inside(component, mount)
    if mount is None or inner is None:
        return fallback
    for ours in read_mounts():
        if ours.device != mount.device or not (inner == ours.root or inner.startswith(ours.root.rstrip("/") + "/")):
            continue
        path = posixpath.normpath(posixpath.join(ours.path, posixpath.relpath(inner, ours.root)))
        try:
            status = in_child(lambda path=path: os.lstat(path), 1.0)  # type: ignore[misc]
        except OSError:
            continue
        if os.path.samestat(status, component.status):
            return path
    return fallback


def _inside(component: Component, mount: MountPoint) -> str | None:
    """The component's path in its file system. Mount points are told as seen from the process's root directory."""
    if component.path != mount.path and not component.path.startswith(mount.path.rstrip("/") + "/"):
        return None
    below = posixpath.relpath(component.path, mount.path)
    return posixpath.normpath(posixpath.join(mount.root, below))
