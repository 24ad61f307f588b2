"""Rows of what the harness and the agent say to each other: JSON makes lists of them. Both ends import this."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.inside.messages import EncodedCredentials


class AclRow(NamedTuple):
    """An entry of an ACL: `who` is a uid or gid for the tags `user` and `group`, else `None`."""

    tag: str
    who: int | None
    permissions: int


class EncodedAttempt(NamedTuple):
    """An attempt: `who` counts the request's principals, `path` and `to` its paths.

    `root` is the root directory that the principal has, `network` the name of the network namespace that it is in.
    """

    who: int
    operation: str
    cwd: str | None
    path: int
    to: int | None
    mode: int | None
    type: str
    root: str | None
    network: str | None
    owner: int | None
    group: int | None


class EncodedObservation(NamedTuple):
    """What became of an attempt, as `harness.engines.protocol.Observation` has it."""

    outcome: str
    at: str | None
    credentials: EncodedCredentials | None
    process: EncodedCredentials | None
    seen: str | None
