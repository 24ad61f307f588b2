"""The cases by their names: peers of a server for whom the plain answer is wrong. Run as root; hooks only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.inside.peers import crowd, gone, handed_on, lies, namespaces, numbers
from harness.inside.peers.base import EndError, tell

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: dict[str, Callable[[], None]] = {
    "fork": handed_on.fork,
    "execute": handed_on.execute,
    "change-user": handed_on.change_user,
    "moment": handed_on.become_for_a_moment,
    "helper": handed_on.helper,
    "thread": handed_on.thread,
    "passed": handed_on.passed,
    "shared": handed_on.shared,
    "living": handed_on.living,
    "dead": gone.dead,
    "reused": gone.reused,
    "large-ids": numbers.large_ids,
    "many-groups": numbers.many_groups,
    "changed-groups": numbers.changed_groups,
    "claimed": lies.claimed,
    "forged": lies.forged,
    "inner-pid": namespaces.inner_pid,
    "inner-root": namespaces.inner_root,
    "remapped": namespaces.remapped,
    "from-outside": namespaces.from_outside,
    "rootless": namespaces.rootless,
    "nobody": numbers.nobody,
    "plain": namespaces.plain,
    "sibling": namespaces.sibling,
    "early": gone.early,
    "crowd": crowd.crowd,
}


def main(case: str, endpoint: str, server: int | None = None) -> None:
    """Play a case to the server at this endpoint; `server` is its pid, which `early` stops for a moment."""
    os.environ.update(ENDPOINT=endpoint, SERVER=str(server))
    try:
        CASES[case]()
    except EndError as why:
        tell(why)
