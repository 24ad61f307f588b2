"""How a person at a terminal gets into a place as one of its principals."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.engines.error import PlaceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.world import Principal


def setpriv(principal: Principal) -> list[str]:
    """The setpriv(1) command that becomes a principal and then runs what follows. Raises PlaceError."""
    if principal.confined is not None:
        raise PlaceError("no shell can be held to a filter of system calls or a Landlock domain: use another user")
    groups = ",".join(map(str, principal.groups))
    command = ["setpriv", "--reuid", str(principal.uid), "--regid", str(principal.gid)]
    command += ["--groups", groups] if groups else ["--clear-groups"]
    if principal.capabilities is None:
        return command
    held = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in sorted(principal.capabilities))])
    command += [f"--inh-caps={held}", f"--ambient-caps={held}"]
    # An exec by uid 0 gives every capability of the bounding set, unless noroot says otherwise (securebits.h).
    return [*command, "--securebits", "+noroot", f"--bounding-set={held}"] if principal.uid == 0 else command


def env_only(environment: Mapping[str, str]) -> list[str]:
    """The env(1) command that leaves an environment of these variables and the terminal's name."""
    given = {"HOME": "/", "TERM": os.environ.get("TERM", "dumb"), **environment}
    return ["env", "-i", *(f"{name}={value}" for name, value in given.items())]
