"""Users and groups whose numbers are hard to read, or many."""

from __future__ import annotations

import os

from harness.inside.peers.base import BOB, NOBODY, become, child, connect, ended, myself, record, speak


def large_ids() -> None:
    """Users and groups with ids that need all 32 bits."""
    for number in (2**31 - 1, 2**31, 2**32 - 2):

        def large(number: int = number) -> None:
            become(number, number, [number])
            record(f"large-{number}", myself())
            speak(connect(), f"large-{number}")

        ended(child(large))


def many_groups() -> None:
    """Users in no group, in one, in as many as old buffers hold, in one more, and in as many as there can be."""
    for count in (0, 1, 32, 33, 1_000, 65_536):

        def member(count: int = count) -> None:
            become(BOB, BOB, list(range(100_000, 100_000 + count)))
            record(f"groups-{count}", myself())
            speak(connect(), f"groups-{count}")

        ended(child(member))


def changed_groups() -> None:
    """Connect, then leave one's groups for others, then speak."""
    os.setgroups([2000, 2001])
    sock = connect()
    record("changed-groups", myself())
    os.setgroups([4242])
    speak(sock, "changed-groups")


def nobody() -> None:
    """The user and the group 65534, where every user has a number."""
    become(NOBODY, NOBODY, [NOBODY])
    record("nobody", myself())
    speak(connect(), "nobody")
