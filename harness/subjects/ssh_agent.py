"""OpenSSH's ssh-agent, which makes a directory of its own and looks at the uid of its peers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.engines.protocol import PlaceError
from harness.finding import broken, held
from harness.subjects.subject import Subject, above_standard

if TYPE_CHECKING:
    from harness.finding import Finding
    from harness.testbed.testbed import RunningServer, Testbed

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

    def prepare(self, testbed: Testbed) -> None:
        """Put a program in the agent's way of asking its user, and make a key."""
        owner = testbed.principal(testbed.owner)
        state = testbed.asked().state
        script = (
            'printf %s "$1" > "$0/askpass" && chmod 0700 "$0/askpass" && ssh-keygen -q -t ed25519 -N "" -f "$0/key"'
        )
        done = testbed.place.run(["sh", "-c", script, state, ASKPASS], owner)
        if done.status != 0:
            raise PlaceError(f"no key could be made for ssh-agent: {done.stderr.strip()}")

    def audience(self, testbed: Testbed) -> Finding:
        """With its directory and its socket opened, the agent itself refuses the stranger; root is admitted."""
        testbed.lay()
        with testbed.serve() as running:
            self._add_key(testbed, running)
            testbed.open_to_all(running)
            asked = {name: testbed.ask(running, name, "keys") for name in (testbed.owner, "stranger", "member", "root")}
        said = {name: f"{answer['kind']} {answer['text']}".strip() for name, answer in asked.items()}
        wrong = [name for name in ("stranger", "member") if asked[name]["kind"] == "accepted"]
        missing = [name for name in (testbed.owner, "root") if said[name] != "accepted 1 keys"]
        if wrong:
            return broken(f"{', '.join(wrong)} could list {testbed.owner}'s keys", **said)
        if missing:
            return broken(f"{', '.join(missing)} could not list {testbed.owner}'s keys: {said}", **said)
        return held(
            "with its directory and socket open to all, the agent closes the connection of stranger and member; "
            f"{testbed.owner} and root list the key",
            **said,
        )

    def child_descriptors(self, testbed: Testbed, running: RunningServer) -> list[str] | None:
        """A key that is to be confirmed makes the agent run $SSH_ASKPASS."""
        self._add_key(testbed, running, "-c")
        state = testbed.asked().state
        self._ssh_add(testbed, running, "-T", f"{state}/key.pub")
        listing = testbed.root("cat", f"{state}/askpass.descriptors")
        if listing.status != 0:
            raise PlaceError("ssh-agent did not ask its user by $SSH_ASKPASS")
        return above_standard(listing.stdout)

    def _add_key(self, testbed: Testbed, running: RunningServer, *options: str) -> None:
        self._ssh_add(testbed, running, *options, f"{testbed.asked().state}/key")

    def _ssh_add(self, testbed: Testbed, running: RunningServer, *arguments: str) -> None:
        environment = {"SSH_AUTH_SOCK": running.endpoint, **testbed.environment()}
        done = testbed.place.run(["ssh-add", *arguments], testbed.principal(testbed.owner), environment=environment)
        if done.status != 0:
            raise PlaceError(f"ssh-add {' '.join(arguments)} failed: {done.stderr.strip()}")


SSH_AGENT = SshAgent(
    name="ssh-agent",
    about="OpenSSH's agent in its own directory of mode 0700",
    command=("ssh-agent", "-D"),
    speaks="ssh-agent",
    packages=("openssh-client",),
    environment={"DISPLAY": ":0", "SSH_ASKPASS": "/run/check/state/askpass"},
    fixed_mode=0o600,
)
