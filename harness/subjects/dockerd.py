"""The Docker daemon: whoever may connect is root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.finding import not_applicable
from harness.subjects.model import Subject

if TYPE_CHECKING:
    from harness.checks.bench import Bench
    from harness.finding import Finding


@dataclass(frozen=True)
class Dockerd(Subject):
    """A real daemon in the place, without any network of its own."""

    def audience(self, bench: Bench) -> Finding:
        """It has no data that is one user's."""
        del bench
        return not_applicable(
            "the daemon keeps nothing that is one user's rather than another's: membership of its group equals "
            "root, see docs/subjects.md"
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
