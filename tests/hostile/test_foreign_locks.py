"""Locks on a directory, which everybody may hold who may read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.hostile.guards import Guard, without
from tests.hostile.stranger import keeps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helpers.observatory_server import ObservatoryServer

LOCK = """
import fcntl, os, sys, time
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("ready")
time.sleep(600)
"""
ON_THE_DIRECTORY = Guard(
    "listening/starting_lock.py",
    (
        ("    while (name := lock_file(path)) is not None", "    while (name := os.path.dirname(path)) is not None"),
        (
            "            descriptor = open_own_file(name, os.O_RDWR, make=True)\n",
            "            descriptor = os.open(name, os.O_RDONLY)\n",
        ),
        ("        os.unlink(name)\n", ""),
    ),
)
"""The lock as it was: on the directory itself."""


def cycle(serve: Callable[..., ObservatoryServer], **options: object) -> tuple[float, ObservatoryServer]:
    """A start, and the end by SIGKILL: how long the start took."""
    begun = time.monotonic()
    server = serve(**options)
    taken = time.monotonic() - begun
    server.kill()
    return taken, server


def test_a_start_after_a_kill_does_not_ask_who_has_locked_the_directory(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    with keeps(LOCK, str(shared)):
        cycle(serve)
        again = serve()
        assert again.send(b"{}") == 200
        begun = time.monotonic()
        assert again.end() == 0
        assert time.monotonic() - begun < 4.0  # a lock is waited for 5 s


def test_with_a_lock_on_the_directory_the_same_start_is_refused(
    shared: Path, serve: Callable[..., ObservatoryServer]
) -> None:
    unguarded = without(shared, ON_THE_DIRECTORY)
    with keeps(LOCK, str(shared)):
        cycle(serve, **unguarded)
        server = serve(wait=False, **unguarded)
        _, said = server.process.communicate(timeout=20)
        assert server.process.returncode == 1
        assert b"no place for a lock" in said
