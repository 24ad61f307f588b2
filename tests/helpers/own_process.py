"""What this very process is for a while."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def effective_user(uid: int, gid: int | None = None, groups: Sequence[int] = ()) -> Iterator[None]:
    """Be another user to the kernel's eyes, without root's capabilities; needs root.

    A thread can't have ids of its own by Python's means: all threads of this process have these.
    """
    held = os.getegid(), os.getgroups()
    os.setgroups(groups)
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(held[0])
        os.setgroups(held[1])


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
