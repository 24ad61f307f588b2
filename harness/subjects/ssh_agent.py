"""OpenSSH's ssh-agent, which makes a directory of its own and looks at the uid of its peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.subjects.subject import Subject

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.world import Principal

ASKPASS = """#!/bin/sh
ls -l /proc/self/fd > "$0.descriptors"
echo yes
"""
"""What the agent runs when it is to ask its user: a program of ours."""


@dataclass(frozen=True)
class SshAgent(Subject):
    """An agent as a login session starts it: without `-a`, so that it takes a new name each time."""

    def endpoint(self, directory: str) -> str:
        """It chooses: a new directory in /tmp, and in it a name with its parent's pid."""
        del directory
        return "/tmp/ssh-*/agent.*"

    def admits(self, label: str) -> bool:
        """Its own user and root."""
        return label in (self.owner, "root")

    def prepare(self, place: Place, owner: str, principal: Principal, state: str) -> None:
        """Put a program in the agent's way of asking its user, and make a key."""
        del owner
        script = (
            'printf %s "$1" > "$0/askpass" && chmod 0700 "$0/askpass" && ssh-keygen -q -t ed25519 -N "" -f "$0/key"'
        )
        done = place.run(["sh", "-c", script, state, ASKPASS], principal)
        if done.status != 0:
            raise PlaceError(f"no key could be made for ssh-agent: {done.stderr.strip()}")


SSH_AGENT = SshAgent(
    name="ssh-agent",
    about="OpenSSH's agent in its own directory of mode 0700",
    command=("ssh-agent", "-D"),
    speaks="ssh-agent",
    packages=("openssh-client",),
    environment={"DISPLAY": ":0", "SSH_ASKPASS": "/run/check/state/askpass"},
    fixed_mode=0o600,
)
