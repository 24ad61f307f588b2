"""What is in the root directory of a place in namespaces: a tmpfs, devices of its own, and what is brought in."""

from __future__ import annotations

import os
import stat

from harness.inside.agent import mounts
from harness.inside.libc import (
    LIBC,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    called,
    mount,
)

DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
    "fuse": (10, 229),
}
"""The kernel's Documentation/admin-guide/devices.txt."""
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
DIRECTORIES = {
    "dev": 0o755,
    "dev/pts": 0o755,
    "dev/shm": 0o1777,
    "etc": 0o755,
    "home": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "run": 0o755,
    "srv": 0o755,
    "tmp": 0o1777,
    "var": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/tmp": 0o1777,
}


def bring(root: str, source: str, target: str) -> None:
    """Make a file or directory of the host visible in the place, under parents that all may search."""
    inside = root + target
    os.makedirs(os.path.dirname(inside), 0o755, exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(inside, 0o755, exist_ok=True)
    elif not os.path.lexists(inside):
        with open(inside, "x", encoding="ascii"):
            pass
    mount(source, inside, None, MS_BIND | MS_REC)


def make_device(root: str, name: str) -> None:
    """Make a device node of the place's own, whose mode and owner are nobody else's."""
    path = f"{root}/dev/{name}"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(*DEVICES[name]))
    except PermissionError:  # without CAP_MKNOD on the machine: the machine's own, read-only (which is its mode alone)
        with open(path, "x", encoding="ascii"):
            pass
        mount(f"/dev/{name}", path, None, MS_BIND)
        mounts.restrict(path, MS_RDONLY)
    else:
        os.chmod(path, 0o666)


def furnish(root: str, binds: list[list[str]], links: list[list[str]]) -> None:
    """Fill the empty root."""
    mount("place", root, "tmpfs", 0, "mode=0755")
    for name, mode in DIRECTORIES.items():
        os.mkdir(f"{root}/{name}")
        os.chmod(f"{root}/{name}", mode)
    for name, text in FILES.items():
        with open(f"{root}/{name}", "x", encoding="ascii") as file:
            file.write(text)
    for source, target in binds:
        bring(root, source, target)
    for path, text in links:
        os.symlink(text, root + path)
    for name in DEVICES:
        if os.path.exists(f"/dev/{name}"):
            make_device(root, name)
    for name, text in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(text, f"{root}/dev/{name}")
    os.symlink("/run", f"{root}/var/run")
    os.symlink("pts/ptmx", f"{root}/dev/ptmx")
    mount("devpts", f"{root}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")


def change_root(root: str) -> None:
    """Leave the host's tree behind for good: pivot_root(2) onto itself, and the old root unmounted."""
    os.chdir(root)
    called(LIBC.pivot_root(b".", b"."), root)
    called(LIBC.umount2(b".", MNT_DETACH), root)
    os.chdir("/")


def mount_proc(root: str) -> None:
    """Mount the /proc of the pid namespace that this process is in, twice: one that is hidden, and one to be used.

    Of the one to be used parts are read-only (`mounts.protect_proc`), and then the kernel lets no user namespace of the
    place mount its own, unless there is one of which nothing is covered (fs/namespace.c, mnt_already_visible).
    """
    os.mkdir(f"{root}/proc/whole")
    for path in (f"{root}/proc/whole", f"{root}/proc"):
        mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
