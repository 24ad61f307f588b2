"""World files that want out of their place: what they mount, link and make leads to the machine's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

BROUGHT = "/opt/brought"
"""Where the arena's directory is in a place (`--mount`); `below` is a file system of its own."""
MACHINES = (
    *("/usr", "/usr/local", "/usr/local/share", "/usr/share", "/usr/share/doc", "/usr/lib", "/bin", "/lib"),
    *("/etc", "/etc/alternatives", "/etc/passwd", "/dev", "/dev/zero", "/dev/null", "/dev/pts", "/dev/shm"),
    *("/proc", "/proc/sys", "/proc/sys/fs", "/proc/execdomains", "/proc/1", "/proc/1/root", "/proc/self/root"),
    *("/proc/1/cwd", "/proc/whole", "/sys", "/opt", "/opt/python", "/home", "/root", "/tmp", "/run", "/var"),
    *(BROUGHT, f"{BROUGHT}/below", f"{BROUGHT}/below/empty"),
)
"""Paths that are the machine's, or next to it."""
OWN = ("/mnt/a", "/mnt/b", "/mnt/a/in", "/srv/c", "/srv/c/d", "/tmp/e", "/run/f", "/data/g", "/usr/local/share/h")
UP = "/".join([".."] * 12)
CANARIES = ("canary", "local/share/canary", "share/canary", "below/canary", "zero", "null", "execdomains", "passwd")
"""What the arena can do without, below one of the paths above."""

_paths = st.sampled_from(MACHINES + OWN)
_targets = _paths.flatmap(
    lambda path: st.sampled_from([path, UP + path, f"{path}/..", f"..{path}", f"/proc/1/root{path}"])
)
_options = st.lists(st.sampled_from(["ro", "nosuid", "nodev", "noexec"]), unique=True, max_size=2)


def _tmpfs(path: str, options: list[str]) -> dict[str, Any]:
    return {"path": path, "kind": "mount", "fs": "tmpfs", "options": options}


def _bind(path: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"path": path, "kind": "mount", "fs": "bind", "options": [f"from={source}", *options]}


_sources = _paths.flatmap(lambda path: st.sampled_from([path, path, path, f"{path}/..", f"/srv/c/..{path}"]))
_nodes = st.one_of(
    st.builds(_tmpfs, _paths, _options),
    st.builds(_bind, _paths, _sources, _options),
    st.builds(_bind, st.sampled_from(OWN), st.sampled_from(MACHINES), _options),
    st.builds(lambda path, target: {"path": path, "kind": "symlink", "target": target}, st.sampled_from(OWN), _targets),
    st.builds(
        lambda path, kind, mode: {"path": path, "kind": kind, "mode": mode, "owner": 0},
        _paths,
        st.sampled_from(["directory", "directory", "file", "socket"]),
        st.sampled_from(["0777", "4777", "0600", "0000"]),
    ),
)


@st.composite
def _attempt(draw: st.DrawFn, made: list[str]) -> dict[str, Any]:
    base = draw(st.one_of(st.sampled_from(made), st.sampled_from(made), _paths))
    path = base if draw(st.booleans()) else f"{base}/{draw(st.sampled_from(CANARIES))}"
    path = draw(st.sampled_from([path, path, path, f"/tmp/{UP}{path}"]))
    operation = draw(st.sampled_from(["unlink", "chmod", "rename", "bind", "connect"]))
    more: Mapping[str, str] = {}
    if operation == "chmod":
        more = {"mode": draw(st.sampled_from(["4777", "0600", "0444"]))}
    elif operation == "rename":
        more = {"to": draw(st.sampled_from([f"{path}.out", "/tmp/taken", f"{base}/out"]))}
    elif operation == "bind":
        path = f"{base}/harness-out"
    return {
        "user": draw(st.sampled_from(["root", "root", "root", "able"])),
        "operation": operation,
        "path": path,
        **more,
    }


@st.composite
def wild_world(draw: st.DrawFn) -> str:
    """The text of a world file, which need not make sense."""
    nodes = draw(st.lists(_nodes, min_size=1, max_size=4))
    attempts = draw(st.lists(_attempt([node["path"] for node in nodes]), min_size=1, max_size=4))
    return written("wild", nodes, attempts)


def written(name: str, nodes: list[dict[str, Any]], attempts: list[dict[str, Any]]) -> str:
    """A world file with these tables; `able` is a user with capabilities."""
    lines = [
        f'name = "{name}"',
        '[users.able]\nuid = 1500\ncapabilities = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD"]',
    ]
    for kind, tables in (("nodes", nodes), ("attempts", attempts)):
        for table in tables:
            lines += [f"[[{kind}]]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
