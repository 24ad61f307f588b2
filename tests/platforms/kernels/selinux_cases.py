"""A small policy of SELinux, and what a confined process is told under it: by the kernel, and by `harness explain`.

Run as root in a machine whose kernel asks SELinux and is told not to enforce it yet; prints one JSON object a case.
The policy knows four classes; all else it allows (`handleunknown allow`).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

from harness.live import actor as actors
from harness.live import components
from harness.live.judgement import find
from harness.live.scene import Wanted, scene
from harness.live.sockets import FoundSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from harness.world import Operation

SELINUX = Path("/sys/fs/selinux")
LOADER, COMPILER = "/opt/modules/ld-linux-x86-64.so.2", "/opt/modules/secilc"
DIR = ("search", "write", "add_name", "remove_name", "getattr", "read", "open")
SOCK_FILE = ("write", "create", "unlink", "rename", "setattr", "getattr")
STREAM = ("create", "connect", "bind", "connectto", "listen", "accept", "read", "write", "getopt", "setopt", "shutdown")
PROCESS = ("transition", "dyntransition")
"""Of processes all is allowed; the kernel wants the class to be there (policydb_index in security/selinux)."""
SIDS = (
    "kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket "
    "tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod "
    "policy scmp_packet devnull"
)
DOMAINS = ("web_t", "lax_t", "mute_t")
"""web is held; lax is as well, but permissive; mute may make no sockets."""
DENIED: dict[str, dict[str, tuple[str, ...]]] = {
    "closed_t": {"dir": ("search",)},
    "shut_t": {"dir": ("add_name", "remove_name")},
    "unwritable_t": {"sock_file": ("write",)},
    "unlinkable_t": {"sock_file": ("unlink", "setattr")},
    "server_t": {"unix_stream_socket": ("connectto",)},
}
"""What the domains may not do to a type."""
TYPES: tuple[str, ...] = ("free_t", *DOMAINS, "base_t", *DENIED)
LABELS = {
    "/open": "base_t",
    "/open/live": "base_t",
    "/open/unwritable": "unwritable_t",
    "/open/unlinkable": "unlinkable_t",
    "/open/held": "base_t",
    "/open/dead": "unwritable_t",
    "/open/private": "unwritable_t",
    "/closed": "closed_t",
    "/closed/live": "base_t",
    "/shut": "shut_t",
    "/shut/live": "base_t",
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


def policy() -> str:
    """The policy in CIL."""
    classes = {"process": PROCESS, "dir": DIR, "sock_file": SOCK_FILE, "unix_stream_socket": STREAM}
    lines = ["(handleunknown allow)", "(mls false)", f"(sidorder ({SIDS}))", "(user u)", "(role r)", "(userrole u r)"]
    lines += [f"(sid {name})" for name in SIDS.split()]
    lines += [f"(class {name} ({' '.join(names)}))" for name, names in classes.items()]
    lines += [f"(classorder ({' '.join(classes)}))"]
    lines += [f"(type {name})(roletype r {name})" for name in TYPES]
    lines += ["(sensitivity s0)(sensitivityorder (s0))(category c0)(categoryorder (c0))"]
    lines += ["(userlevel u (s0))(userrange u ((s0)(s0)))"]
    lines += [f"(sidcontext {name} (u r free_t ((s0)(s0))))" for name in ("kernel", "security", "init")]
    lines += [f"(sidcontext {name} (u r base_t ((s0)(s0))))" for name in ("unlabeled", "fs", "file", "devnull")]
    lines += [f"(fsuse trans {name} (u r base_t ((s0)(s0))))" for name in ("tmpfs", "rootfs", "devtmpfs")]
    for source in ("free_t", *DOMAINS):
        for target in TYPES:
            for name, names in classes.items():
                denied = set() if source == "free_t" else set(DENIED.get(target, {}).get(name, ()))
                if (source, target, name) == ("mute_t", "mute_t", "unix_stream_socket"):
                    denied = {"create"}
                lines.append(f"(allow {source} {target} ({name} ({' '.join(sorted(set(names) - denied))})))")
    return "\n".join([*lines, "(typepermissive lax_t)", ""])


def load() -> None:
    """Compile the policy and have the kernel take it."""
    source, compiled = Path("/tmp/policy.cil"), Path("/tmp/policy")
    source.write_text(policy(), encoding="ascii")
    words = [LOADER, "--library-path", "/opt/modules", COMPILER, "-o", str(compiled), "-f", "/tmp/contexts"]
    version = SELINUX.joinpath("policyvers").read_text(encoding="ascii")
    subprocess.run([*words, "-c", version, str(source)], check=True)
    data = compiled.read_bytes()
    descriptor = os.open(SELINUX / "load", os.O_WRONLY)
    assert os.write(descriptor, data) == len(data)
    os.close(descriptor)


def enter(domain: str) -> None:
    """Be in a domain from now on."""
    Path("/proc/thread-self/attr/current").write_text(f"u:r:{domain}", encoding="ascii")


def serve(path: str, domain: str) -> None:
    """A process of a domain that listens."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        enter(domain)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        os.chmod(path, 0o777)
        server.listen()
        os.write(writing, str(os.fstat(server.fileno()).st_ino).encode())
        signal.pause()
    servers.append(pid)
    listeners[path] = int(os.read(reading, 64))


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
        enter(domain)
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
    for path in LABELS:
        if path.count("/") == 2 and path != "/open/dead":
            serve(path, "server_t" if path == "/open/held" else "free_t")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("/open/dead")
    os.chmod("/open/dead", 0o777)
    os.chmod("/open/private", 0o700)
    for path in ("/open/unlinkable", "/open/live", "/shut/live"):
        os.chown(path, 33, 33)
    for path, name in LABELS.items():
        os.setxattr(path, "security.selinux", f"u:r:{name}".encode())
    components.SECONDS = 60.0  # type: ignore[misc]  # the machine is emulated
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
        "kernel": said,
        "explained": found.decision.outcome,
        "layer": found.decision.layer,
        "why": found.decision.why,
        "selinux": states["SELinux"],
        "notes": list(found.notes),
    }


if __name__ == "__main__":
    main()
