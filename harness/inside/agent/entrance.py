"""The first program in a new set of namespaces: it makes a root of their own and hands over to another interpreter.

That one goes on with what comes on standard input. Nothing of the host is changed: all of it happens in a private mount
namespace, on a tmpfs. In the end the place gets a user namespace of its own, with the same numbers of users: for its
root the mounts that were made before are locked (mount_namespaces(7)), so whatever runs there as root can neither make
them writable nor take them away, and has no device nodes to make.
"""

from __future__ import annotations

import os
import stat
import sys

from harness.inside import delivery, loader
from harness.inside.agent import mounts
from harness.inside.libc import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWUSER,
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
    unshare,
)
from harness.inside.loopback import raise_loopback

DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
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
        change_root(root)
        for _, target in binds:
            mounts.restrict(target, MS_RDONLY, recursive=True)
        mounts.protect_proc()
        enter_user_namespace()
        raise_loopback()
        environment = {"LD_LIBRARY_PATH": libraries} if libraries else {}
        start = delivery.starting(loader.sent.sources[loader.NAME])
        os.execve(python, [python, *delivery.OPTIONS, start], environment)
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        sys.exit(f"a root of its own could not be made: {error.strerror}{where}")


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
        make_device(root, name)
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


def enter_user_namespace() -> None:
    """Go into a user namespace with the same ids, and a mount, network and ipc namespace that it owns.

    The mounts come along locked. Where the kernel makes no user namespaces (user.max_user_namespaces is 0), there are
    just the others: what is brought in is read-only then too, but a command that runs as root could undo that.
    """
    ids = {kind: _own_ids(kind) for kind in ("uid", "gid")}
    waiting, go = os.pipe()
    first = os.getpid()
    writer = os.fork()
    if writer == 0:  # who stays outside may write the maps
        os.close(go)
        if os.read(waiting, 1):
            for kind, text in ids.items():
                with open(f"/proc/{first}/{kind}_map", "w", encoding="ascii") as file:
                    file.write(text)
        os._exit(0)
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC)
        os.write(go, b".")
    except OSError:
        unshare(CLONE_NEWNET | CLONE_NEWIPC)
    os.close(go)
    os.close(waiting)
    os.waitpid(writer, 0)


def _own_ids(kind: str) -> str:
    """The ids that there are here, as a map onto themselves (user_namespaces(7))."""
    with open(f"/proc/self/{kind}_map", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return "".join(f"{first} {first} {count}\n" for first, _, count in rows)
