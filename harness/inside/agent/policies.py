"""SELinux in a machine that has no policy yet: one is made of what worlds say, compiled, loaded and enforced.

The rules of a domain are those of `harness.world.policy`. What no node of a world gives a type has `OPEN`, to which
every domain may do everything; the agent and all whom nothing holds are in `FREE`, which may do everything too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from harness.inside.agent.errors import RefusalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harness.inside.messages import EncodedWorld

FOLDER = "/sys/fs/selinux"
LABEL = "security.selinux"
COMPILER, LOADER = "/opt/modules/secilc", "/opt/modules/ld-linux-x86-64.so.2"
"""Only a machine that was made to be thrown away has them there."""
FREE, OPEN = "harness_free_t", "harness_open_t"
OF_FILES = ("read", "write", "getattr", "setattr", "rename")
OF_SOCKETS = ("create", "connect", "bind")
CLASSES = {
    "dir": (*OF_FILES, "search", "add_name", "remove_name", "reparent", "rmdir", "create"),
    "sock_file": (*OF_FILES, "unlink", "create"),
    "file": (*OF_FILES, "unlink", "create", "execute", "execute_no_trans"),
    "fifo_file": (*OF_FILES, "unlink"),
    "lnk_file": ("read", "unlink", "rename"),
    "unix_stream_socket": (*OF_SOCKETS, "connectto"),
    "unix_dgram_socket": (*OF_SOCKETS, "sendto"),
    "process": ("transition", "dyntransition"),
}
"""All that the policy knows: what it does not know is allowed (`handleunknown`). Of processes the kernel wants these
two to be there (`policydb_index` in security/selinux/ss/policydb.c)."""
SIDS = (
    "kernel security unlabeled fs file file_labels init any_socket port netif netmsg node igmp_packet icmp_socket "
    "tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net sysctl_net_unix sysctl_vm sysctl_dev kmod "
    "policy scmp_packet devnull"
)
"""In the kernel's order (security/selinux/include/initial_sid_to_string.h)."""
PERMISSIVE = "permissive"

_types: set[str] = set()
_domains: dict[str, Sequence[str]] = {}
"""What the policy has that is loaded: worlds before may have asked for it. Nothing before the first."""


def hold(world: EncodedWorld) -> None:
    """Have all types and domains of a world in the policy. Raises RefusalError."""
    nodes = world["nodes"]
    types = {name for node in nodes for name in (node["label"], node["domain"]) if name is not None}
    rules = [rule for domain in world["domains"] for rule in domain if rule != PERMISSIVE]
    types |= {rule.partition(":")[0] for rule in rules} - {"self"}
    domains = {name(domain): domain for domain in world["domains"]}
    if types <= _types and domains.keys() <= _domains.keys():
        return
    if not _domains and not _types:
        _expect_none()
    _load(text(sorted({*_types, *types}), {**_domains, **domains}))
    _types.update(types)
    _domains.update(domains)


def enter(rules: Sequence[str]) -> None:
    """Be in the domain with these rules. Raises RefusalError if no world has brought it, and OSError."""
    domain = name(rules)
    if domain not in _domains:
        raise RefusalError("no process can be confined so in this place: no world with such a user was built")
    _write("/proc/thread-self/attr/current", _context(domain))


@contextlib.contextmanager
def sockets_of(domain: str | None) -> Iterator[None]:
    """Sockets that are made meanwhile are made as by this domain, where one is given."""
    if domain is None:
        yield
        return
    path = "/proc/thread-self/attr/sockcreate"
    _write(path, _context(domain))
    try:
        yield
    finally:
        _write(path, b"\0")  # what no context is given for is the process's own


def give(path: str, label: str | None) -> None:
    """Give what is here, a symlink itself too, its type: where worlds have none all have one."""
    if sys.platform == "linux" and _types:
        os.setxattr(path, LABEL, _context(label or OPEN), follow_symlinks=False)


def name(rules: Sequence[str]) -> str:
    """The domain that has these rules."""
    import hashlib  # noqa: PLC0415 - few places are asked for a domain; all are there sooner without

    return f"harness_{hashlib.sha256(chr(10).join(rules).encode()).hexdigest()[:16]}_t"


def text(types: Iterable[str], domains: dict[str, Sequence[str]]) -> str:
    """The policy in CIL."""
    sids = SIDS.split()
    lines = ["(handleunknown allow)", "(mls false)", f"(sidorder ({SIDS}))", *(f"(sid {sid})" for sid in sids)]
    lines += [f"(class {kind} ({' '.join(names)}))" for kind, names in CLASSES.items()]
    lines += [f"(classorder ({' '.join(CLASSES)}))", "(user u)", "(role r)", "(userrole u r)"]
    lines += ["(sensitivity s0)(sensitivityorder (s0))(category c0)(categoryorder (c0))"]
    lines += ["(userlevel u (s0))(userrange u ((s0)(s0)))"]
    lines += [f"(type {each})(roletype r {each})" for each in (FREE, OPEN, *types, *domains)]
    lines += [f"(sidcontext {sid} (u r {FREE} ((s0)(s0))))" for sid in ("kernel", "security", "init")]
    lines += [f"(sidcontext {sid} (u r {OPEN} ((s0)(s0))))" for sid in ("unlabeled", "fs", "file", "devnull")]
    lines += [f"(fsuse trans {each} (u r {OPEN} ((s0)(s0))))" for each in ("tmpfs", "rootfs", "devtmpfs")]
    for target in (FREE, OPEN, *types, *domains):
        lines += _everything(FREE, target)
    for each in types:
        lines += _everything(each, "self")  # what fills the queue of such a socket is of its type too
    for domain, rules in domains.items():
        lines += [*_everything(domain, FREE), *_everything(domain, OPEN), *_own_files(domain)]
        for rule in rules:
            target, _, rest = rule.partition(":")
            kind, _, permissions = rest.partition(" ")
            allowed = f"(allow {domain} {target} ({kind} ({permissions})))"
            lines.append(f"(typepermissive {domain})" if rule == PERMISSIVE else allowed)
    return "\n".join([*lines, ""])


def _own_files(domain: str) -> list[str]:
    """What /proc shows of a process has its domain for a type."""
    return [line for line in _everything(domain, "self") if "(unix_" not in line]


def _everything(source: str, target: str) -> list[str]:
    return [f"(allow {source} {target} ({kind} ({' '.join(names)})))" for kind, names in CLASSES.items()]


def _context(kind: str) -> bytes:
    return f"u:r:{kind}".encode("ascii")


def _expect_none() -> None:
    """Raises RefusalError where a policy can't be loaded, or one is: a machine's own is not replaced."""
    if not os.path.exists(f"{FOLDER}/load"):
        raise RefusalError("no world with SELinux can be made in this place: its kernel does not ask SELinux")
    if not os.path.exists(COMPILER):
        raise RefusalError("no world with SELinux can be made in this place: there is no secilc")
    with open("/proc/self/attr/current", "rb") as file:
        if file.read().strip(b"\0\n") != b"kernel":  # the only context before there is a policy
            raise RefusalError("no world with SELinux can be made in this place: it has a policy of its own")


def _load(policy: str) -> None:
    import subprocess  # noqa: PLC0415 - likewise
    import tempfile  # noqa: PLC0415 - likewise

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        source, compiled = f"{folder}/policy.cil", f"{folder}/policy"
        with open(source, "w", encoding="ascii") as file:
            file.write(policy)
        with open(f"{FOLDER}/policyvers", encoding="ascii") as file:
            version = file.read().strip()
        words = [LOADER, "--library-path", os.path.dirname(COMPILER), COMPILER, "-c", version]
        words += ["-o", compiled, "-f", f"{folder}/contexts", source]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
            raise RefusalError(f"secilc does not take the policy: {said}")
        with open(compiled, "rb") as file:
            data = file.read()
    try:
        _write(f"{FOLDER}/load", data)
        _write(f"{FOLDER}/enforce", b"1")
    except OSError as error:
        raise RefusalError(f"the kernel does not take the policy: {error.strerror}") from None


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
