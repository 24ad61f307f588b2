"""The first program in a new mount namespace: it makes a place of it and hands over to another interpreter.

That one is the first process of the place, and goes on with what comes on standard input. Nothing of the host is
changed: all of it happens in the private mount namespace, on a tmpfs.

The place has a user namespace of its own, with the numbers of users that there were. For its root the mounts that were
made before are locked (mount_namespaces(7)): whatever runs there as root can neither make them writable nor take them
away, and can make no device nodes. The place's other namespaces belong to that one, so that its root is root there.
So there are three processes: this one goes into the user namespace, its first child stays outside of it and does there
what only the machine's root may, flags of inodes to the end, and its second child is the place's first process.
"""

from __future__ import annotations

import os
import sys

from harness.inside import delivery, loader
from harness.inside.agent import furniture, mounts
from harness.inside.libc import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    MS_RDONLY,
    PR_SET_PDEATHSIG,
    prctl,
    setns,
    socketpair,
    unshare,
)

SETTER = 3
"""The number that the agent has for its connection to who sets flags of inodes."""
SIGKILL = 9
"""signal(7). Python's `signal` and `socket` take longer to import than all of this program, so they are not here."""
DONE, WITHOUT = b"d", b"w"
"""What is said when the namespaces are made, and when no user namespace is among them; and when the mounts are made."""


def main(python: str, libraries: str, binds: list[list[str]], links: list[list[str]]) -> None:
    """Make the place and go on as `python`, whose own shared libraries are in the directory `libraries`, or nowhere.

    `binds` are pairs of a path of the host and a path of the place, brought in read-only, and `links` are pairs of a
    symlink's path and its text.
    """
    os.umask(0o022)
    # The new root hides the host's /proc from here on, which no path of `binds` lies under.
    root = "/proc"
    try:
        processes = os.open("/proc", os.O_RDONLY)
        furniture.furnish(root, binds, links)
        first = _divide(processes, root, [target for _, target in binds])
        if first is None:
            environment = {"LD_LIBRARY_PATH": libraries} if libraries else {}
            start = delivery.starting(loader.sent.text(loader.NAME))
            os.execve(python, [python, *delivery.OPTIONS, start], environment)
        _, status = os.waitpid(first, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        sys.exit(f"a root of its own could not be made: {error.strerror}{where}")


def _divide(processes: int, root: str, brought: list[str]) -> int | None:
    """Make the other namespaces: the pid of the place's first process, and in that one `None`."""
    (made, tell_made), (mounted, tell_mounted) = os.pipe(), os.pipe()
    setting, asking = socketpair()
    if os.fork() == 0:
        os.close(tell_made)
        os.close(asking)
        _stay_outside(processes, os.read(made, 1), root, brought)
        os.write(tell_mounted, DONE)
        _set_flags(setting)
        os._exit(0)
    os.close(tell_mounted)
    os.close(setting)
    how = DONE
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)
    except OSError:
        # The kernel makes none (user.max_user_namespaces is 0). What is brought in is read-only then too, but a command
        # that runs as root could undo that.
        how = WITHOUT
        unshare(CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)
    first = os.fork()
    if first == 0:
        prctl(PR_SET_PDEATHSIG, SIGKILL)
        os.close(tell_made)
        if os.read(mounted, 1) != DONE:
            os._exit(1)  # who failed has said why
        os.chdir("/")
        unshare(CLONE_NEWNS)
        os.dup2(asking, SETTER)
        os.set_inheritable(SETTER, True)  # if it had that number already
        return None
    os.close(asking)
    os.write(tell_made, how)
    return first


def _stay_outside(processes: int, how: bytes, root: str, brought: list[str]) -> None:
    """Give the user namespace its users, and the mount namespace a /proc and its root.

    `processes` is the host's /proc, which is hidden by the new root; while it is there, the kernel lets an ordinary
    user's namespace mount another one.
    """
    parent = os.getppid()

    def opener(path: str, flags: int) -> int:
        return os.open(path, flags, dir_fd=processes)

    if how == DONE:
        for kind in ("uid_map", "gid_map"):
            with open(f"self/{kind}", encoding="ascii", opener=opener) as file:
                rows = [line.split() for line in file]
            with open(f"{parent}/{kind}", "w", encoding="ascii", opener=opener) as file:
                file.write("".join(f"{first} {first} {count}\n" for first, _, count in rows))
    setns(opener(f"{parent}/ns/pid_for_children", os.O_RDONLY), CLONE_NEWPID)
    inside = os.fork()
    if inside == 0:
        furniture.mount_proc(root)
        furniture.change_root(root)  # for all of these processes
        mounts.protect_proc()
        for path in brought:
            mounts.restrict(path, MS_RDONLY, recursive=True)
        os._exit(0)
    _, status = os.waitpid(inside, 0)
    if status:
        os._exit(1)


def _set_flags(setting: int) -> None:
    """Set the flags that the agent asks for, until it ends. What that takes is imported while the agent starts."""
    from harness.inside.agent import flag_setter  # noqa: PLC0415 - this helper's alone: a place is there sooner without
    from harness.inside.agent.inheritance import close_all_but  # noqa: PLC0415 - likewise, it loads signal

    close_all_but(setting)
    flag_setter.serve(setting)
