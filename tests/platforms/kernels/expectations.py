"""What the kernels of Debian's releases answer differently, and where that is written.

Each question of `probe.py` has its answers by the version from which on they are given, the oldest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Version = tuple[int, int]
ALWAYS = (0, 0)


@dataclass(frozen=True, slots=True)
class Expectation:
    """A question's answers by the first version that gives them, and the source."""

    question: str
    answers: Mapping[Version, str]
    source: str

    def of(self, version: Version) -> str:
        """The answer of a kernel of that version."""
        return self.answers[max(since for since in self.answers if since <= version)]


EXPECTATIONS = (
    Expectation(
        "SO_PEERPIDFD",
        {ALWAYS: "ENOPROTOOPT", (6, 5): "ok"},
        "net/core/sock.c, sk_getsockopt: the option came with 6.5; one that is not known is ENOPROTOOPT",
    ),
    Expectation(
        "SO_PEERPIDFD of a reaped peer",
        {ALWAYS: "ENOPROTOOPT", (6, 5): "EINVAL", (6, 16): "a handle that has ended"},
        "kernel/fork.c, pidfd_prepare: EINVAL for a pid without a process; since 6.16 a Unix socket keeps the peer's "
        "pidfs entry (net/unix/af_unix.c, unix_peer pidfs_register_pid), and its handle is given out",
    ),
    Expectation(
        "observatory's peer_pidfd",
        {ALWAYS: "OPTION", (6, 5): "ok"},
        "observatory/identity/linux.py",
    ),
    Expectation(
        "observatory's peer_pidfd of a reaped peer",
        {ALWAYS: "OPTION", (6, 5): "REAPED"},
        "observatory/identity/linux.py: what the kernels call differently is one outcome",
    ),
    Expectation("SO_PEERGROUPS", {ALWAYS: "ok"}, "unix(7); since 4.13, older than every kernel here"),
    Expectation(
        "SO_PASSPIDFD",
        {ALWAYS: "ENOPROTOOPT", (6, 5): "ok"},
        "net/core/sock.c, sk_setsockopt: came with SO_PEERPIDFD",
    ),
    Expectation(
        "SO_PASSRIGHTS",
        {ALWAYS: "ENOPROTOOPT", (6, 16): "ok"},
        "net/core/sock.c, sk_setsockopt: since 6.16",
    ),
    Expectation("PIDFD_THREAD", {ALWAYS: "EINVAL", (6, 9): "ok"}, "pidfd_open(2), PIDFD_THREAD: since 6.9"),
    Expectation(
        "PIDFD_GET_INFO",
        {ALWAYS: "ENOTTY", (6, 11): "EINVAL", (6, 13): "ok"},
        "fs/pidfs.c, pidfd_ioctl: since 6.13; a pidfd has ioctls since 6.11, and those of then take no argument",
    ),
    Expectation("mount_setattr", {ALWAYS: "ENOSYS", (5, 12): "ok"}, "mount_setattr(2): since 5.12"),
    Expectation(
        "fchmodat2 on a symlink",
        {ALWAYS: "ENOSYS", (6, 6): "ENOTSUP"},
        "fchmodat2(2): since 6.6; a symlink's own mode cannot be changed (fs/attr.c, notify_change)",
    ),
)


def version(release: str) -> Version:
    """The first two numbers of what uname(2) calls the release."""
    major, minor = release.split("-", maxsplit=1)[0].split(".")[:2]
    return int(major), int(minor)


def differences(
    answers: Mapping[str, str], release: str, expectations: Sequence[Expectation] = EXPECTATIONS
) -> list[str]:
    """What a kernel answered otherwise than expected, in words."""
    return [
        f"{one.question}: Linux {release} answers {answers.get(one.question)}, expected is {one.of(version(release))} "
        f"({one.source})"
        for one in expectations
        if answers.get(one.question) != one.of(version(release))
    ]
