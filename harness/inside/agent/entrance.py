"""The first program in a new set of namespaces: it makes a root of their own and hands over to the agent.

It is given one JSON object as its argument: `python` (the interpreter for the agent), `libraries` (the directory of
its own shared libraries, or nothing), `boot` (the program that it shall run), `binds` (pairs of a path of the host and
a path of the place, brought in read-only) and `links` (pairs of a symlink's path and its text). Nothing of the host is
changed: all of it happens in a private mount namespace, on a tmpfs. One file, the standard library alone.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = 1, 2, 4, 8, 32, 4096, 16384  # linux/mount.h
MNT_DETACH = 2
STATVFS_FLAGS = {2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: 1 << 21}
"""statvfs(3)'s flags and the mount flags that keep them: another user namespace's mounts must not lose any."""
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # linux/sockios.h, linux/if.h
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


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2). Raises OSError with the target."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    if LIBC.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


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
    if LIBC.pivot_root(b".", b".") != 0 or LIBC.umount2(b".", MNT_DETACH) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), root)
    os.chdir("/")


def raise_loopback() -> None:
    """A new network namespace has its loopback interface down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def _main() -> None:
    given = json.loads(sys.argv[1])
    os.umask(0o022)
    # The new root hides the host's /proc from here on, which nothing here needs and no path of `binds` lies under.
    root = "/proc"
    try:
        furnish(root, given["binds"], given["links"])
        raise_loopback()
        change_root(root)
        environment = {"LD_LIBRARY_PATH": given["libraries"]} if given["libraries"] else {}
        os.execve(given["python"], [given["python"], "-I", "-c", given["boot"]], environment)
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        sys.exit(f"a root of its own could not be made: {error.strerror}{where}")


if __name__ == "__main__":
    _main()
