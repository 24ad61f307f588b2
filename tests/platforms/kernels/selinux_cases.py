"""Domains of SELinux, and what a process in one is told: by the kernel, and by `harness explain`.

Run as root in a machine whose kernel asks SELinux and has no policy yet; prints one JSON object a case.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import sys
from pathlib import Path
from unittest import mock

from harness.inside.agent import policies
from harness.live import actor as actors
from harness.live import components
from harness.live.judgement import find
from harness.live.scene import Wanted, scene
from harness.live.sockets import FoundSocket
from harness.world.policy import CLASSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness.world import Operation

SELINUX = Path("/sys/fs/selinux")
DOMAINS = ("web_t", "lax_t", "mute_t")
"""What the cases call them: web is held; lax is as well, but permissive; mute may make no sockets."""
DENIED: dict[str, dict[str, tuple[str, ...]]] = {
    "closed_t": {"dir": ("search",)},
    "shut_t": {"dir": ("add_name", "remove_name")},
    "unwritable_t": {"sock_file": ("write",)},
    "unlinkable_t": {"sock_file": ("unlink", "setattr")},
    "server_t": {"unix_stream_socket": ("connectto",)},
}
"""What the domains may not do to a type."""
LISTENING = (
    *("/open/live", "/open/unwritable", "/open/unlinkable", "/open/held", "/open/private"),
    *("/closed/live", "/shut/live"),
)
LABELS = {
    "/open/unwritable": "unwritable_t",
    "/open/unlinkable": "unlinkable_t",
    "/open/dead": "unwritable_t",
    "/open/private": "unwritable_t",
    "/closed": "closed_t",
    "/shut": "shut_t",
}
CASES: tuple[tuple[str, Operation, str, str, str | None], ...] = (
    ("web_t", "connect", "/open/live", "ok", None),
    ("web_t", "connect", "/open/unwritable", "EACCES", "SELinux"),
    ("web_t", "connect", "/open/dead", "EACCES", "SELinux"),
    ("web_t", "connect", "/open/private", "EACCES", "path"),
    ("web_t", "connect", "/open/held", "EACCES", "SELinux"),
    ("web_t", "connect", "/closed/live", "EACCES", "SELinux"),
    ("web_t", "connect", "/shut/live", "ok", None),
    ("web_t", "connect", "/open/none", "ENOENT", "path"),
    ("mute_t", "connect", "/open/live", "EACCES", "SELinux"),
    ("mute_t", "connect", "/closed/live", "EACCES", "SELinux"),
    ("mute_t", "bind", "/open/new", "EACCES", "SELinux"),
    ("web_t", "bind", "/open/new", "ok", None),
    ("web_t", "bind", "/shut/new", "EACCES", "SELinux"),
    ("web_t", "bind", "/closed/new", "EACCES", "SELinux"),
    ("web_t", "unlink", "/open/unlinkable", "EACCES", "SELinux"),
    ("web_t", "unlink", "/shut/live", "EACCES", "SELinux"),
    ("web_t", "chmod", "/open/unlinkable", "EACCES", "SELinux"),
    ("web_t", "chmod", "/open/live", "ok", None),
    ("lax_t", "connect", "/open/unwritable", "ok", None),
    ("lax_t", "bind", "/shut/new", "ok", None),
    ("free_t", "connect", "/open/unwritable", "ok", None),
    ("free_t", "connect", "/closed/live", "ok", None),
)
"""A domain, an operation, a path; the kernel's answer, and the layer that decides."""

servers: list[int] = []
listeners: dict[str, int] = {}
"""The inode of each socket that listens: Debian's kernels have sock_diag(7) in a module, and the machine has none."""


assert sys.platform == "linux"


def rules(domain: str) -> list[str]:
    """All but what is denied."""
    own = f"self:unix_stream_socket connect bind{'' if domain == 'mute_t' else ' create'}"
    made = [own, *(["permissive"] if domain == "lax_t" else [])]
    for target, denied in DENIED.items():
        for kind, names in CLASSES.items():
            made.append(f"{target}:{kind} {' '.join(name for name in names if name not in denied.get(kind, ()))}")
    return made


def load() -> None:
    """Have the kernel take the policy."""
    nodes = [{"label": label, "domain": None} for label in DENIED]
    policies.hold({"nodes": nodes, "domains": [rules(domain) for domain in DOMAINS]})  # type: ignore[typeddict-item]


def serve(path: str, domain: str) -> None:
    """A process of a domain that listens."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        with policies.sockets_of(domain):
            server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        os.chmod(path, 0o777)
        server.listen()
        os.write(writing, str(os.fstat(server.fileno()).st_ino).encode())
        Path("/proc/thread-self/attr/current").write_text(f"u:r:{domain}", encoding="ascii")
        os.close(writing)  # it may do nothing more
        signal.pause()
    servers.append(pid)
    os.close(writing)
    with os.fdopen(reading, encoding="ascii") as said:
        listeners[path] = int(said.read())


def attempt(operation: str, path: str) -> str:
    try:
        if operation in {"connect", "bind"}:
            with socket.socket(socket.AF_UNIX) as one:
                getattr(one, operation)(path)
        elif operation == "unlink":
            os.unlink(path)
        else:
            os.chmod(path, 0o700)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


def standing(domain: str, operation: str, path: str) -> tuple[int, int, int]:
    """A process of uid 33 in a domain, that tries when it is told to: its pid, and the pipes to it and from it."""
    inward, tell = os.pipe()
    hear, outward = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(33, 33, 33)
        os.setresuid(33, 33, 33)
        if domain in DOMAINS:
            policies.enter(rules(domain))
        os.write(outward, b"x")
        os.read(inward, 1)
        os.write(outward, attempt(operation, path).encode())
        os._exit(0)
    assert os.read(hear, 1) == b"x"
    return pid, tell, hear


def main() -> None:
    """Prepare, enforce, ask."""
    Path("/proc/sys/kernel/printk_ratelimit").write_text("0", encoding="ascii")  # or records of denials are left out
    load()
    for path in ("/open", "/closed", "/shut"):
        os.mkdir(path)
        os.chmod(path, 0o777)
    for path in LISTENING:
        serve(path, "server_t" if path == "/open/held" else policies.FREE)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("/open/dead")
    os.chmod("/open/dead", 0o777)
    os.chmod("/open/private", 0o700)
    for path in ("/open/unlinkable", "/open/live", "/shut/live"):
        os.chown(path, 33, 33)
    for path, name in LABELS.items():
        policies.give(path, name)
    components.SECONDS = 60.0  # type: ignore[misc]  # the machine is emulated
    SELINUX.joinpath("enforce").write_text("0", encoding="ascii")
    permissive = judged("web_t", "connect", "/open/unwritable")
    SELINUX.joinpath("enforce").write_text("1", encoding="ascii")
    print(json.dumps({"permissive": permissive}))
    for domain, operation, path, _, _ in CASES:
        print(json.dumps({"case": [domain, operation, path], **judged(domain, operation, path)}), flush=True)
    for server in servers:
        os.kill(server, signal.SIGKILL)


def judged(domain: str, operation: Operation, path: str) -> dict[str, object]:
    """What explain says of a process, then what the kernel says to it."""
    pid, tell, hear = standing(domain, operation, path)
    who = actors.process(pid)
    context = Path(f"/proc/{pid}/attr/current").read_text(encoding="ascii").strip("\0\n")
    wanted = Wanted(operation, path, mode=0o700 if operation == "chmod" else None)
    inode = listeners.get(path)
    known = FoundSocket("stream", "stale" if inode is None else "listening", inode=inode)
    with mock.patch("harness.live.scene.behind", return_value=known):
        found = find(who, scene(who, wanted))
    os.write(tell, b"x")
    said = os.read(hear, 64).decode()
    os.waitpid(pid, 0)
    states = {state.layer: (state.state, state.why) for state in found.layers}
    return {
        "pid": pid,
        "context": context,
        "kernel": said,
        "explained": found.decision.outcome,
        "layer": found.decision.layer,
        "why": found.decision.why,
        "selinux": states["SELinux"],
        "notes": list(found.notes),
    }


if __name__ == "__main__":
    main()
