"""The Docker daemon: whoever may connect is root."""

from __future__ import annotations

from harness.subjects.subject import Subject

DOCKERD = Subject(
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
