"""Where the agent stands for a while: below another root directory, in another network namespace, as somebody else."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from harness.inside.capabilities import PR_SET_SECUREBITS
from harness.inside.libc import CLONE_NEWNET, prctl, setns

if TYPE_CHECKING:
    from collections.abc import Iterator

SECBIT_NO_SETUID_FIXUP = 4
"""linux/securebits.h: capabilities stay whatever the ids become."""


@contextlib.contextmanager
def below(root: str | None) -> Iterator[None]:
    """Have this directory as root directory, where one is given. Raises OSError."""
    if root is None:
        yield
        return
    own = os.open("/", os.O_RDONLY)
    try:
        os.chroot(root)
        os.chdir("/")
        yield
    finally:
        os.fchdir(own)
        os.chroot(".")
        os.chdir("/")
        os.close(own)


@contextlib.contextmanager
def in_network(own: int, network: int | None) -> Iterator[None]:
    """Be in the network namespace of a descriptor, where one is given; `own` is the one of the agent."""
    if network is None:
        yield
        return
    setns(network, CLONE_NEWNET)
    try:
        yield
    finally:
        setns(own, CLONE_NEWNET)


def _have_ids(uid: int, gid: int) -> None:
    if sys.platform == "linux":
        os.setresuid(uid, uid, uid)
        os.setresgid(gid, gid, gid)


@contextlib.contextmanager
def by_the_ids_of(ids: tuple[int, int] | None) -> Iterator[None]:
    """Have this uid and gid alone, with all of root's capabilities: a FUSE mount lets in by ids (fs/fuse/dir.c)."""
    if ids is None:
        yield
        return
    uid, gid = ids
    groups = os.getgroups()
    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    try:
        _have_ids(uid, gid)
        yield
    finally:
        _have_ids(0, 0)
        os.setgroups(groups)
        prctl(PR_SET_SECUREBITS, 0)
