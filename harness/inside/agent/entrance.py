"""The first program in a new set of namespaces: it makes a root of their own and hands over to another interpreter.

That one goes on with what comes on standard input. Nothing of the host is changed: all of it happens in a private mount
namespace, on a tmpfs.
"""

from __future__ import annotations

import os
import sys

from harness.inside import loader
from harness.inside.libc import (
    LIBC,
    MNT_DETACH,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    called,
    mount,
)
from harness.inside.loopback import raise_loopback

STATVFS_FLAGS = {2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs(3)'s flags and the mount flags that keep them: another user namespace's mounts must not lose any."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
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


def main(python: str, libraries: str, binds: list[list[str]], links: list[list[str]]) -> None:
    """Make the root and go on as `python`, whose own shared libraries are in the directory `libraries`, or nowhere.

    `binds` are pairs of a path of the host and a path of the place, brought in read-only, and `links` are pairs of a
    symlink's path and its text.
    """
    os.umask(0o022)
    # The new root hides the host's /proc from here on, which nothing here needs and no path of `binds` lies under.
    root = "/proc"
    try:
        furnish(root, binds, links)
        raise_loopback()
        change_root(root)
        environment = {"LD_LIBRARY_PATH": libraries} if libraries else {}
        os.execve(python, [python, *loader.OPTIONS, loader.starting(loader.sent.sources[loader.NAME])], environment)
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        sys.exit(f"a root of its own could not be made: {error.strerror}{where}")


def bring(root: str, source: str, target: str) -> None:
    """Make a file or directory of the host visible in the place, read-only, under parents that all may search."""
    inside = root + target
    os.makedirs(os.path.dirname(inside), 0o755, exist_ok=True)
    if os.path.isdir(source):
        os.makedirs(inside, 0o755, exist_ok=True)
    elif not os.path.lexists(inside):
        with open(inside, "x", encoding="ascii"):
            pass
    mount(source, inside, None, MS_BIND | MS_REC)
    was = os.statvfs(inside).f_flag
    kept = sum(flag for said, flag in STATVFS_FLAGS.items() if was & said)
    mount(None, inside, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


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
        with open(f"{root}/dev/{name}", "x", encoding="ascii"):
            pass
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, MS_BIND)
    for name, text in {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}.items():
        os.symlink(text, f"{root}/dev/{name}")
    os.symlink("/run", f"{root}/var/run")
    os.symlink("pts/ptmx", f"{root}/dev/ptmx")
    mount("devpts", f"{root}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def change_root(root: str) -> None:
    """Leave the host's tree behind for good: pivot_root(2) onto itself, and the old root unmounted."""
    os.chdir(root)
    called(LIBC.pivot_root(b".", b"."), root)
    called(LIBC.umount2(b".", MNT_DETACH), root)
    os.chdir("/")
