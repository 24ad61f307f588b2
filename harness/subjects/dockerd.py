"""The Docker daemon: whoever may connect is root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.finding import broken, not_applicable
from harness.subjects.subject import Subject

if TYPE_CHECKING:
    from harness.finding import Finding
    from harness.testbed.testbed import Testbed

CONTENT = "of root alone"
READ_AS_ROOT = """
set -e
export DOCKER_HOST="unix://$0" HOME=/nonexistent
tar -c -T /dev/null | docker import - nothing >/dev/null
docker cp "$(docker create -v /:/host nothing /none):/host$1" - | tar -xO
"""
"""An image of nothing, a container that has the daemon's root mounted and never runs, and a file out of it."""


@dataclass(frozen=True)
class Dockerd(Subject):
    """A real daemon in the place, without any network of its own."""

    def audience(self, testbed: Testbed) -> Finding:
        """It has no data that is one user's: who is let in reads whatever root reads, which is shown."""
        testbed.lay()
        secret = f"{testbed.asked().state}/secret"
        testbed.root("sh", "-c", 'umask 077 && printf %s "$1" > "$0"', secret, CONTENT)
        member = testbed.principal("member")
        with testbed.serve() as running:
            plainly = testbed.place.run(["cat", secret], member)
            through = testbed.place.run(["sh", "-c", READ_AS_ROOT, running.endpoint, secret], member, timeout=60.0)
        seen = {"plainly": plainly.stderr.strip(), "through the daemon": through.stdout, "said": through.stderr}
        if plainly.status == 0 or through.stdout != CONTENT:
            return broken(f"a member of {testbed.group} did not become root through the daemon: {seen}", **seen)
        return not_applicable(
            f"membership of {testbed.group} equals root: member, who may not read {secret}, read it through a "
            "container that has the daemon's own / mounted; so nothing there is one user's rather than another's",
            **seen,
        )


DOCKERD = Dockerd(
    name="dockerd",
    about="the Docker daemon of Debian bookworm, open to the group docker",
    command=(
        *("dockerd", "-H", "unix://{socket}", "-G", "{group}", "--data-root", "{state}/data"),
        *("--exec-root", "{state}/exec", "--pidfile", "{state}/pid", "--storage-driver", "vfs"),
        *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
    ),
    speaks="docker",
    owner="root",
    group="docker",
    packages=("docker.io", "containerd", "runc"),
    fixed_mode=0o660,
    starts=5,
    patience=60.0,
)
