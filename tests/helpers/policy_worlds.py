"""Worlds whose user web is in an SELinux domain: what is tried, what the kernel answers, and which layer decides.

SELinux alone, on top of another refusal, and behind one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from harness.inside.agent import policies
from harness.oracle import predict, rules_of
from harness.trials.verdict import judge
from harness.world import ROOT, Attempt, Confinement, Node, User, World, complete
from harness.world.policy import CLASSES, SOCKETS
from tests.helpers.confined_worlds import SINCE, asks

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from harness.engines.protocol import Observation, Place
    from harness.oracle import Decision, Layer
    from harness.world import FilteredCall, LandlockRight, Operation

LONG, TOO_LONG = (f"/open/{'x' * size}" for size in (120, 121))
"""The longest path that sockaddr_storage takes, and a longer one: sun_path takes neither."""
NODES = (
    Node("/open", "directory", mode=0o777, label="open_t"),
    Node("/open/live", "socket", mode=0o777, label="socket_t", domain="server_t"),
    Node("/open/plain", "socket", mode=0o777),
    Node("/open/mine", "socket", owner="web", mode=0o700, label="socket_t", domain="server_t"),
    Node("/open/theirs", "socket", mode=0o700, label="socket_t", domain="server_t"),
    Node("/open/dead", "socket", mode=0o777, state="stale", label="socket_t"),
    Node("/open/bound", "socket", mode=0o777, state="bound", label="socket_t", domain="server_t"),
    Node("/open/full", "socket", mode=0o777, state="full", label="socket_t", domain="server_t"),
    Node("/open/dgram", "socket", mode=0o777, type="dgram", label="socket_t", domain="server_t"),
    Node("/open/file", "file", owner="web", mode=0o644, label="file_t"),
    Node("/open/other", "file", owner="web", label="file_t"),
    Node("/open/program", "file", mode=0o755, label="file_t"),
    Node("/open/fifo", "fifo", owner="web", mode=0o666, label="file_t"),
    Node("/open/link", "symlink", mode=0o777, target="/open/live", label="link_t"),
    Node("/open/sub", "directory", owner="web", mode=0o777, label="sub_t"),
    Node("/open/sub/file", "file", owner="web", label="file_t"),
    Node("/open/empty", "directory", owner="web", label="sub_t"),
    Node("/open/fixed", "directory", label="sub_t"),
    Node("/open/over", "mount", fs="bind", options=("from=/open/file",)),
    Node("/held", "directory", mode=0o777, label="held_t"),
    Node("/held/live", "socket", mode=0o777),
    Node("/closed", "directory", mode=0o700, label="held_t"),
    Node("/closed/live", "socket", mode=0o777),
    Node("/shut", "directory", mode=0o755, label="held_t"),
    Node("/shut/live", "socket", owner="web", mode=0o777),
    Node("/sticky", "directory", mode=0o1777, label="open_t"),
    Node("/sticky/theirs", "socket", mode=0o777, label="socket_t"),
    Node("/frozen", "mount", mode=0o777, fs="tmpfs", options=("ro",), label="open_t"),
    Node("/frozen/mine", "socket", owner="web", mode=0o700, label="socket_t", domain="server_t"),
    Node("@name", "socket", domain="server_t"),
    Node("@plain", "socket"),
    Node("@bound", "socket", state="bound", domain="server_t"),
)
OWN = "self:unix_stream_socket create connect bind"
WAY = "open_t:dir search"
NAMES = "open_t:dir search write add_name remove_name"
SUB = "sub_t:dir search write add_name remove_name"
WRITE = "socket_t:sock_file write"
TO = "server_t:unix_stream_socket connectto"
DGRAM = "self:unix_dgram_socket create connect"
Rules = tuple[str, ...]
CONNECT: Rules = (OWN, WAY, WRITE, TO)

DOMAINS: dict[str, tuple[Rules, Attempt, Layer | None]] = {
    "all-that-connect-asks": (CONNECT, asks("connect", "/open/live", "ok"), None),
    "no-writing": ((OWN, WAY, TO), asks("connect", "/open/live", "EACCES", at="/open/live"), "SELinux"),
    "no-connecting-to": ((OWN, WAY, WRITE), asks("connect", "/open/live", "EACCES", at="/open/live"), "SELinux"),
    "no-searching": ((OWN, WAY), asks("connect", "/held/live", "EACCES", at="/held"), "SELinux"),
    "searching": ((OWN, "held_t:dir search"), asks("connect", "/held/live", "ok"), None),
    "no-searching-and-a-closed-way": ((OWN,), asks("connect", "/closed/live", "EACCES", at="/closed"), "path"),
    "no-searching-and-nothing-there": ((OWN,), asks("connect", "/held/none", "EACCES", at="/held"), "SELinux"),
    "nothing-there": ((OWN, WAY), asks("connect", "/open/none", "ENOENT", at="/open/none"), "path"),
    "no-writing-and-no-permission": ((OWN, WAY), asks("connect", "/open/theirs", "EACCES", at="/open/theirs"), "path"),
    "no-writing-where-nobody-listens": ((OWN, WAY, TO), asks("connect", "/open/dead", "EACCES"), "SELinux"),
    "nobody-listens": ((OWN, WAY, WRITE), asks("connect", "/open/dead", "ECONNREFUSED"), "socket"),
    "no-connecting-to-who-does-not-listen": (
        (OWN, WAY, WRITE),
        asks("connect", "/open/bound", "ECONNREFUSED"),
        "socket",
    ),
    "no-connecting-to-who-has-no-room": ((OWN, WAY, WRITE), asks("connect", "/open/full", "EAGAIN"), "socket"),
    "what-has-no-type-is-open": ((OWN, WAY), asks("connect", "/open/plain", "ok"), None),
    "no-writing-to-a-file": ((OWN, WAY), asks("connect", "/open/file", "EACCES", at="/open/file"), "SELinux"),
    "writing-to-a-file": ((OWN, WAY, "file_t:file write"), asks("connect", "/open/file", "ECONNREFUSED"), "socket"),
    "no-writing-to-a-directory": ((OWN, WAY), asks("connect", "/open/sub", "EACCES", at="/open/sub"), "SELinux"),
    "no-reading-of-a-link": (CONNECT, asks("connect", "/open/link", "EACCES", at="/open/link"), "SELinux"),
    "reading-of-a-link": ((*CONNECT, "link_t:lnk_file read"), asks("connect", "/open/link", "ok"), None),
    "no-sockets": ((WAY, WRITE, TO), asks("connect", "/open/live", "EACCES", at="/open/live"), "SELinux"),
    "no-sockets-and-a-closed-way": ((), asks("connect", "/closed/live", "EACCES", at="/closed/live"), "SELinux"),
    "no-sockets-and-nothing-there": ((WAY,), asks("connect", "/open/none", "EACCES", at="/open/none"), "SELinux"),
    "no-sockets-for-a-path-too-long": ((WAY,), asks("connect", TOO_LONG, "EACCES", at=TOO_LONG), "SELinux"),
    "no-connecting": (
        ("self:unix_stream_socket create", WAY, WRITE, TO),
        asks("connect", "/open/live", "EACCES", at="/open/live"),
        "SELinux",
    ),
    "no-connecting-and-a-closed-way": (
        ("self:unix_stream_socket create bind",),
        asks("connect", "/closed/live", "EACCES", at="/closed/live"),
        "SELinux",
    ),
    "no-connecting-by-a-long-path": (
        ("self:unix_stream_socket create",),
        asks("connect", LONG, "EACCES", at=LONG),
        "SELinux",
    ),
    "no-connecting-by-a-path-too-long": (
        ("self:unix_stream_socket create",),
        asks("connect", TOO_LONG, "EINVAL", at=TOO_LONG),
        "path",
    ),
    "a-long-path": ((OWN,), asks("connect", LONG, "EINVAL", at=LONG), "path"),
    "no-connecting-to-a-name": ((OWN,), asks("connect", "@name", "EACCES", at="@name"), "SELinux"),
    "connecting-to-a-name": ((OWN, TO), asks("connect", "@name", "ok"), None),
    "no-connecting-to-a-name-where-nobody-listens": ((OWN,), asks("connect", "@bound", "ECONNREFUSED"), "socket"),
    "a-name-of-no-type-is-open": ((OWN,), asks("connect", "@plain", "ok"), None),
    "no-sockets-for-a-name": ((), asks("connect", "@nobody", "EACCES", at="@nobody"), "SELinux"),
    "no-connecting-and-no-such-name": (
        ("self:unix_stream_socket create bind",),
        asks("connect", "@nobody", "EACCES", at="@nobody"),
        "SELinux",
    ),
    "no-sending": (
        (DGRAM, WAY, WRITE),
        replace(asks("connect", "/open/dgram", "EACCES", at="/open/dgram"), type="dgram"),
        "SELinux",
    ),
    "sending": (
        (DGRAM, WAY, WRITE, "server_t:unix_dgram_socket sendto"),
        replace(asks("connect", "/open/dgram", "ok"), type="dgram"),
        None,
    ),
    "sockets-of-another-class": (
        CONNECT,
        replace(asks("connect", "/open/dgram", "EACCES"), type="dgram"),
        "SELinux",
    ),
    "no-sockets-for-messages": (
        (WAY, "self:unix_dgram_socket connect bind"),
        replace(asks("connect", "/open/dgram", "EACCES", at="/open/dgram"), type="dgram"),
        "SELinux",
    ),
    "no-connecting-for-messages": (
        (WAY, "self:unix_dgram_socket create bind"),
        replace(asks("connect", "/open/dgram", "EACCES", at="/open/dgram"), type="dgram"),
        "SELinux",
    ),
    "no-binding-for-messages": (
        (NAMES, "open_t:sock_file create", DGRAM),
        replace(asks("bind", "/open/new", "EACCES", at="/open/new"), type="dgram"),
        "SELinux",
    ),
    "no-sending-to-another-type": (
        (DGRAM, WAY, WRITE),
        replace(asks("connect", "/open/live", "EPROTOTYPE"), type="dgram"),
        "socket",
    ),
    "all-that-bind-asks": ((OWN, NAMES, "open_t:sock_file create"), asks("bind", "/open/new", "ok"), None),
    "no-new-sockets": ((OWN, NAMES), asks("bind", "/open/new", "EACCES", at="/open/new"), "SELinux"),
    "no-new-names": (
        (OWN, "open_t:dir search write", "open_t:sock_file create"),
        asks("bind", "/open/new", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-writing-to-the-directory": (
        (OWN, "open_t:dir search add_name", "open_t:sock_file create"),
        asks("bind", "/open/new", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-new-names-where-one-is": ((OWN, WAY), asks("bind", "/open/live", "EADDRINUSE"), "path"),
    "no-new-names-on-a-read-only-mount": ((OWN, WAY), asks("bind", "/frozen/new", "EROFS"), "path"),
    "no-new-names-in-a-closed-directory": (
        (OWN, "held_t:dir search"),
        asks("bind", "/shut/new", "EACCES", at="/shut"),
        "path",
    ),
    "no-binding": (
        ("self:unix_stream_socket create connect",),
        asks("bind", "/closed/new", "EACCES", at="/closed/new"),
        "SELinux",
    ),
    "no-binding-of-a-name": (
        ("self:unix_stream_socket create connect",),
        asks("bind", "@new", "EACCES", at="@new"),
        "SELinux",
    ),
    "no-sockets-to-bind": ((NAMES,), asks("bind", "/open/live", "EACCES", at="/open/live"), "SELinux"),
    "no-sockets-for-a-new-name": ((), asks("bind", "@new", "EACCES", at="@new"), "SELinux"),
    "a-new-name": ((OWN,), asks("bind", "@new", "ok"), None),
    "all-that-unlink-asks": ((NAMES, "socket_t:sock_file unlink"), asks("unlink", "/open/mine", "ok"), None),
    "no-unlinking": ((NAMES,), asks("unlink", "/open/mine", "EACCES", at="/open/mine"), "SELinux"),
    "no-names-removed": (
        ("open_t:dir search write", "socket_t:sock_file unlink"),
        asks("unlink", "/open/mine", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-writing-to-unlink": (
        ("open_t:dir search remove_name", "socket_t:sock_file unlink"),
        asks("unlink", "/open/mine", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-unlinking-in-a-sticky-directory": ((NAMES,), asks("unlink", "/sticky/theirs", "EPERM"), "path"),
    "no-writing-to-a-sticky-directory": (
        (WAY,),
        asks("unlink", "/sticky/theirs", "EACCES", at="/sticky"),
        "SELinux",
    ),
    "no-unlinking-of-a-directory": ((NAMES,), asks("unlink", "/open/sub", "EISDIR"), "path"),
    "no-unlinking-of-what-is-mounted-upon": (
        ("open_t:dir search write",),
        asks("unlink", "/open/over", "EBUSY"),
        "path",
    ),
    "no-unlinking-on-a-read-only-mount": ((WAY,), asks("unlink", "/frozen/mine", "EROFS"), "path"),
    "no-unlinking-in-a-closed-directory": (
        ("held_t:dir search",),
        asks("unlink", "/shut/live", "EACCES", at="/shut"),
        "path",
    ),
    "all-that-rename-asks": (
        (NAMES, "socket_t:sock_file rename"),
        asks("rename", "/open/mine", "ok", "/open/new"),
        None,
    ),
    "no-renaming": ((NAMES,), asks("rename", "/open/mine", "EACCES", "/open/new", "/open/mine"), "SELinux"),
    "no-renaming-to-itself": ((WAY,), asks("rename", "/open/mine", "ok", "/open/mine"), None),
    "no-names-removed-to-rename": (
        ("open_t:dir search write add_name", "socket_t:sock_file rename"),
        asks("rename", "/open/mine", "EACCES", "/open/new", "/open"),
        "SELinux",
    ),
    "no-names-added-to-rename": (
        (NAMES, "sub_t:dir search write", "socket_t:sock_file rename"),
        asks("rename", "/open/mine", "EACCES", "/open/sub/new", "/open/sub"),
        "SELinux",
    ),
    "no-writing-to-the-second-directory": (
        (NAMES, "sub_t:dir search add_name", "socket_t:sock_file rename"),
        asks("rename", "/open/mine", "EACCES", "/open/sub/new", "/open/sub"),
        "SELinux",
    ),
    "renaming-over-a-file": (
        (NAMES, SUB, "file_t:file rename unlink"),
        asks("rename", "/open/other", "ok", "/open/sub/file"),
        None,
    ),
    "no-unlinking-to-rename": (
        (NAMES, SUB, "file_t:file rename"),
        asks("rename", "/open/other", "EACCES", "/open/sub/file", "/open/sub/file"),
        "SELinux",
    ),
    "no-names-removed-to-replace": (
        (NAMES, "sub_t:dir search write add_name", "file_t:file rename unlink"),
        asks("rename", "/open/other", "EACCES", "/open/sub/file", "/open/sub"),
        "SELinux",
    ),
    "moving-a-directory": (
        (NAMES, f"{SUB} rename reparent"),
        asks("rename", "/open/empty", "ok", "/open/sub/new"),
        None,
    ),
    "no-reparenting": (
        (NAMES, f"{SUB} rename"),
        asks("rename", "/open/empty", "EACCES", "/open/sub/new", "/open/empty"),
        "SELinux",
    ),
    "a-directory-gets-a-name-without-reparenting": (
        (NAMES, "sub_t:dir rename"),
        asks("rename", "/open/empty", "ok", "/open/new"),
        None,
    ),
    "no-removing-of-a-directory-to-replace": (
        (NAMES, "sub_t:dir rename"),
        asks("rename", "/open/sub", "EACCES", "/open/empty", "/open/empty"),
        "SELinux",
    ),
    "a-directory-is-replaced": (
        (NAMES, "sub_t:dir rename rmdir"),
        asks("rename", "/open/sub", "ok", "/open/empty"),
        None,
    ),
    "no-renaming-of-what-is-mounted-upon": (
        ("open_t:dir search write",),
        asks("rename", "/open/over", "EACCES", "/open/new", "/open"),
        "SELinux",
    ),
    "no-renaming-in-a-closed-directory": (
        ("held_t:dir search",),
        asks("rename", "/shut/live", "EACCES", "/shut/new", "/shut"),
        "path",
    ),
    "no-renaming-into-a-closed-directory": (
        (NAMES, "held_t:dir search"),
        asks("rename", "/open/mine", "EACCES", "/shut/new", "/shut"),
        "path",
    ),
    "no-renaming-of-a-closed-directory": (
        (NAMES, SUB),
        asks("rename", "/open/fixed", "EACCES", "/open/sub/new", "/open/fixed"),
        "path",
    ),
    "no-renaming-across-mounts": ((WAY,), asks("rename", "/open/mine", "EXDEV", "/frozen/new"), "path"),
    "all-that-chmod-asks": ((WAY, "socket_t:sock_file setattr"), asks("chmod", "/open/mine", "ok"), None),
    "no-changing": ((WAY,), asks("chmod", "/open/mine", "EACCES", at="/open/mine"), "SELinux"),
    "no-changing-of-another's": ((WAY,), asks("chmod", "/open/theirs", "EACCES", at="/open/theirs"), "SELinux"),
    "changing-of-another's": ((WAY, "socket_t:sock_file setattr"), asks("chmod", "/open/theirs", "EPERM"), "path"),
    "no-changing-on-a-read-only-mount": ((WAY,), asks("chmod", "/frozen/mine", "EROFS"), "path"),
    "all-that-chown-asks": (
        (WAY, "socket_t:sock_file setattr"),
        replace(asks("chown", "/open/mine", "ok"), group="web"),
        None,
    ),
    "no-changing-of-another's-owner": (
        (WAY,),
        replace(asks("chown", "/open/theirs", "EACCES", at="/open/theirs"), owner="web"),
        "SELinux",
    ),
    "changing-of-another's-owner": (
        (WAY, "socket_t:sock_file setattr"),
        replace(asks("chown", "/open/theirs", "EPERM"), owner="web"),
        "path",
    ),
    "no-changing-of-an-owner-on-a-read-only-mount": (
        (WAY,),
        replace(asks("chown", "/frozen/mine", "EROFS"), group="web"),
        "path",
    ),
    "all-that-mkdir-asks": ((f"{NAMES} create",), asks("mkdir", "/open/new", "ok"), None),
    "no-new-directories": ((NAMES,), asks("mkdir", "/open/new", "EACCES", at="/open/new"), "SELinux"),
    "no-names-for-directories": (
        ("open_t:dir search write create",),
        asks("mkdir", "/open/new", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-new-directories-where-one-is": ((WAY,), asks("mkdir", "/open/sub", "EEXIST"), "path"),
    "no-new-directories-on-a-read-only-mount": ((WAY,), asks("mkdir", "/frozen/new", "EROFS"), "path"),
    "no-new-directories-in-a-closed-one": (
        ("held_t:dir search",),
        asks("mkdir", "/shut/new", "EACCES", at="/shut"),
        "path",
    ),
    "all-that-create-asks": ((NAMES, "open_t:file create write"), asks("create", "/open/new", "ok"), None),
    "no-new-files": ((NAMES, "open_t:file write"), asks("create", "/open/new", "EACCES", at="/open/new"), "SELinux"),
    "no-names-for-files": (
        ("open_t:dir search write", "open_t:file create write"),
        asks("create", "/open/new", "EACCES", at="/open"),
        "SELinux",
    ),
    "no-new-files-on-a-read-only-mount": ((WAY,), asks("create", "/frozen/new", "EROFS"), "path"),
    "no-new-files-in-a-closed-directory": (
        ("held_t:dir search",),
        asks("create", "/shut/new", "EACCES", at="/shut"),
        "path",
    ),
    "what-is-there-is-not-created": ((WAY, "file_t:file write"), asks("create", "/open/other", "ok"), None),
    "no-reading-where-the-mode-says-no": ((WAY,), asks("read", "/open/theirs", "EACCES", at="/open/theirs"), "path"),
    "reading-a-socket": ((WAY, "socket_t:sock_file read"), asks("read", "/open/mine", "ENXIO"), "path"),
    "reading-a-directory": ((WAY, "sub_t:dir read"), asks("read", "/open/empty", "EISDIR"), "path"),
    "no-writing-to-a-directory-by-name": ((WAY,), asks("write", "/open/empty", "EISDIR"), "path"),
    "all-that-read-asks": ((WAY, "file_t:file read"), asks("read", "/open/other", "ok"), None),
    "all-that-write-asks": ((WAY, "file_t:file write"), asks("write", "/open/other", "ok"), None),
    "all-that-truncate-asks": ((WAY, "file_t:file write"), asks("truncate", "/open/other", "ok"), None),
    "all-that-list-asks": ((WAY, "sub_t:dir read getattr"), asks("list", "/open/empty", "ok"), None),
    "no-looking-at-what-is-listed": (
        (WAY, "sub_t:dir read"),
        asks("list", "/open/empty", "EACCES", at="/open/empty"),
        "SELinux",
    ),
    "all-that-execute-asks": (
        (WAY, "file_t:file getattr execute read execute_no_trans"),
        asks("execute", "/open/program", "ok"),
        None,
    ),
    "no-reading-of-a-program": (
        (WAY, "file_t:file getattr execute execute_no_trans"),
        asks("execute", "/open/program", "EACCES", at="/open/program"),
        "SELinux",
    ),
    "no-execution-in-the-domain": (
        (WAY, "file_t:file getattr execute read"),
        asks("execute", "/open/program", "EACCES", at="/open/program"),
        "SELinux",
    ),
    "no-execution-where-the-mode-says-no": (
        (WAY, "file_t:file getattr"),
        asks("execute", "/open/file", "EACCES", at="/open/file"),
        "path",
    ),
    "all-that-stat-asks": ((WAY, "socket_t:sock_file getattr"), asks("stat", "/open/theirs", "ok"), None),
    "no-looking": ((WAY,), asks("stat", "/open/theirs", "EACCES", at="/open/theirs"), "SELinux"),
    "no-looking-at-what-is-not-there": ((WAY,), asks("stat", "/open/none", "ENOENT"), "path"),
    "all-that-readlink-asks": ((WAY, "link_t:lnk_file read"), asks("readlink", "/open/link", "ok"), None),
    "no-reading-of-a-link-itself": ((WAY,), asks("readlink", "/open/link", "EACCES", at="/open/link"), "SELinux"),
    "no-reading-of-what-is-no-link": ((WAY,), asks("readlink", "/open/file", "EINVAL", at="/open/file"), "path"),
}
"""On every kernel that asks SELinux."""
THINGS: dict[str, tuple[str, str, tuple[Operation, ...]]] = {
    "dir": ("/open/empty", "sub_t", ("rename", "chmod", "chown", "stat", "list", "read")),
    "sock_file": ("/open/mine", "socket_t", ("connect", "unlink", "rename", "chmod", "chown", "stat", "read", "write")),
    "file": (
        "/open/other",
        "file_t",
        ("connect", "unlink", "rename", "chmod", "chown", "stat", "read", "write", "create", "truncate", "execute"),
    ),
    "fifo_file": ("/open/fifo", "file_t", ("connect", "unlink", "rename", "chmod", "stat", "read", "write")),
    "lnk_file": ("/open/link", "link_t", ("unlink", "rename")),
}
"""Something of each class, its type, and what is tried with it."""
ASKED: dict[Operation, str] = {
    "connect": "write",
    "unlink": "unlink",
    "rename": "rename",
    "chmod": "setattr",
    "chown": "setattr",
    "stat": "getattr",
    "list": "read",
    "read": "read",
    "write": "write",
    "create": "write",
    "truncate": "write",
    "execute": "execute",
}
"""The permission that each of these asks of the thing itself."""


def _of_things() -> dict[str, tuple[Rules, Attempt, Layer | None]]:
    """Each permission of each class missing, where all else is there."""
    made: dict[str, tuple[Rules, Attempt, Layer | None]] = {}
    for kind, (path, label, operations) in THINGS.items():
        for operation in operations:
            left = " ".join(name for name in CLASSES[kind] if name != ASKED[operation])
            there = "/open/new" if operation == "rename" else None
            attempt = asks(operation, path, "EACCES", there, path)
            attempt = replace(attempt, group=33) if operation == "chown" else attempt
            made[f"no-{operation}-of-{kind}"] = (OWN, NAMES, f"{label}:{kind} {left}"), attempt, "SELinux"
    return made


PERMISSIVE: dict[str, tuple[Rules, Attempt, Layer | None]] = {
    "no-sockets-and-permissive": (("permissive",), asks("connect", "/open/live", "ok"), None),
    "no-searching-and-permissive": ((OWN, "permissive"), asks("connect", "/held/live", "ok"), None),
    "no-new-names-and-permissive": ((OWN, "permissive"), asks("bind", "/open/new", "ok"), None),
    "a-closed-way-and-permissive": (("permissive",), asks("connect", "/closed/live", "EACCES", at="/closed"), "path"),
}
"""Domains that are told what they may not, and are not kept from it."""
FILTERED: dict[str, tuple[Rules, dict[FilteredCall, str], Attempt, Layer | None]] = {
    "a-filter-and-no-sockets": ((), {"connect": "EPERM"}, asks("connect", "/open/live", "EACCES"), "SELinux"),
    "a-filter-of-sockets": ((), {"socket": "EPERM"}, asks("connect", "/open/live", "EPERM"), "seccomp"),
    "a-filter-and-no-connecting": (
        ("self:unix_stream_socket create",),
        {"connect": "EPERM"},
        asks("connect", "/open/live", "EPERM"),
        "seccomp",
    ),
    "a-filter-and-no-binding": (
        ("self:unix_stream_socket create",),
        {"connect": "EPERM"},
        asks("bind", "/open/new", "EACCES"),
        "SELinux",
    ),
    "a-filter-and-no-unlinking": ((WAY,), {"unlink": "EPERM"}, asks("unlink", "/open/mine", "EPERM"), "seccomp"),
}
"""With a filter of system calls."""
LANDLOCKED: dict[str, tuple[Rules, LandlockRight, Attempt, Layer | None]] = {
    "landlock-and-no-new-names": ((OWN, WAY), "bind", asks("bind", "/open/new", "EACCES", at="/open"), "Landlock"),
    "landlock-and-no-binding": (
        ("self:unix_stream_socket create",),
        "bind",
        asks("bind", "/open/new", "EACCES", at="/open/new"),
        "SELinux",
    ),
    "landlock-and-no-connecting-to": ((OWN,), "abstract", asks("connect", "@name", "EPERM"), "Landlock"),
    "landlock-and-no-connecting": (
        ("self:unix_stream_socket create",),
        "abstract",
        asks("connect", "@name", "EACCES"),
        "SELinux",
    ),
}
"""With a domain of Landlock, which a kernel asks first that is told to ask it first (`lsm=`)."""
FOLLOWED: dict[str, tuple[Rules, tuple[Attempt, ...], Layer | None]] = {
    "a-new-socket-has-its-directory's-type": (
        (OWN, NAMES, "open_t:sock_file create"),
        (asks("bind", "/open/new", "ok"), asks("connect", "/open/new", "EACCES", at="/open/new")),
        "SELinux",
    ),
    "a-new-directory-has-its-directory's-type": (
        (f"{NAMES} create",),
        (asks("mkdir", "/open/new", "ok"), asks("list", "/open/new", "EACCES", at="/open/new")),
        "SELinux",
    ),
    "a-new-file-may-not-be-written-to": (
        (NAMES, "open_t:file create getattr"),
        (asks("create", "/open/new", "EACCES", at="/open/new"), asks("stat", "/open/new", "ok")),
        None,
    ),
    "a-moved-socket-keeps-its-type": (
        (OWN, NAMES, SUB, "sub_t:sock_file write", "socket_t:sock_file rename"),
        (asks("rename", "/open/live", "ok", "/open/sub/s"), asks("connect", "/open/sub/s", "EACCES", at="/open/sub/s")),
        "SELinux",
    ),
}
"""Where what went before makes the difference."""
RECORD = re.compile(
    r"avc:  denied  \{ (?P<permissions>[^}]+) \} for .* scontext=u:r:(?P<source>\w+) "
    r"tcontext=u:\w+:(?P<target>\w+) tclass=(?P<kind>\w+) permissive=(?P<permissive>[01])"
)


class Denial(NamedTuple):
    """What the kernel has recorded: permissions of a class that a domain does not have to a type."""

    permissions: frozenset[str]
    kind: str
    target: str
    permissive: bool

    @property
    def said(self) -> re.Pattern[str]:
        """What the oracle says of the same."""
        names = "|".join(sorted(self.permissions))
        of = "a socket of its own" if self.target == "self" else rf".*, which is {self.target}"
        return re.compile(rf"The process's SELinux domain may not (?:(?:{names})(?:, )?)+ \({self.kind}\) {of}\.")


@dataclass(frozen=True)
class Seen:
    """What a kernel did with a world's attempts, and what it recorded of the last."""

    world: World
    layer: Layer | None
    observations: tuple[Observation, ...]
    denials: tuple[Denial, ...]

    def differences(self, decisions: Sequence[Decision]) -> tuple[str, ...]:
        """Where decisions are not what the kernel did: in the outcome, the layer, or what was asked of SELinux."""
        verdicts = map(judge, self.world.attempts, decisions, self.observations)
        said = tuple(text for verdict in verdicts for text in verdict.differences)
        refused = [one for one in self.denials if not one.permissive]
        whys = [decision.why for decision in decisions if decision.layer == "SELinux"]
        if len(refused) != len(whys) or not all(
            one.said.fullmatch(why) for one, why in zip(refused, whys, strict=True)
        ):
            said += (f"the oracle says {whys}, the kernel recorded {refused}",)
        return said


def worlds() -> dict[str, tuple[World, Layer | None]]:
    """All of them by name."""
    alone = {**DOMAINS, **_of_things(), **PERMISSIVE}
    every = {name: _Case(rules, (attempt,), layer) for name, (rules, attempt, layer) in alone.items()}
    for name, (rules, calls, attempt, layer) in FILTERED.items():
        every[name] = _Case(rules, (attempt,), layer, Confinement(tuple(calls.items())))
    for name, (rules, right, attempt, layer) in LANDLOCKED.items():
        every[name] = _Case(rules, (attempt,), layer, Confinement(landlock=frozenset({right})))
    for name, (rules, attempts, layer) in FOLLOWED.items():
        every[name] = _Case(rules, attempts, layer)
    made = {}
    for number, (name, case) in enumerate(every.items()):
        own = f"case{number}_t:dir search"  # of nothing: so each has a domain of its own, which the records name
        held = replace(case.others, selinux=tuple(sorted((*case.rules, own))))
        made[name] = policed([held], *case.attempts), case.layer
    return made


class _Case(NamedTuple):
    """A domain's rules, what is tried, what decides over the last of it, and what else holds web."""

    rules: Rules
    attempts: tuple[Attempt, ...]
    layer: Layer | None
    others: Confinement = Confinement()


def policed(confinements: Iterable[Confinement], *attempts: Attempt) -> World:
    """A world in which web is held, and free is not; others are held by the other confinements."""
    held = (
        User("web" if number == 0 else f"held{number}", 33, 33, confined=confined)
        for number, confined in enumerate(confinements)
    )
    return complete(World("policed", users=(*held, User("free", 33, 33)), nodes=NODES, attempts=attempts))


def look(place: Place, version: tuple[int, int]) -> dict[str, Seen]:
    """What a kernel of a version does with each of the worlds that it can show. One policy is made for all of them."""
    place.run(["sh", "-c", "echo 0 > /proc/sys/kernel/printk_ratelimit"], ROOT)  # or records would be left out
    made = worlds()
    held = {name: world.user("web").confined or Confinement() for name, (world, _) in made.items()}
    place.build(policed(held.values()))
    place.run(["dmesg", "--clear"], ROOT, timeout=120)
    observations = {}
    for name, (world, _) in made.items():
        place.build(world)
        if version >= since(world):
            observations[name] = tuple(place.attempt(world.attempts))
    recorded = place.run(["dmesg"], ROOT, timeout=120).stdout
    return {
        name: Seen(*made[name], observed, _denials(held[name], recorded)) for name, observed in observations.items()
    }


def since(world: World) -> tuple[int, int]:
    """The first kernel that can hold web so."""
    confined = world.user("web").confined
    return max((SINCE[right] for right in confined.landlock), default=(0, 0)) if confined else (0, 0)


def _denials(held: Confinement, recorded: str) -> tuple[Denial, ...]:
    """What was recorded of a domain. Under a filter its socket is tried once more, to tell which refused."""
    own = policies.name(held.selinux or ())
    denials = (
        Denial(
            frozenset(found["permissions"].split()),
            found["kind"],
            "self" if found["target"] == own else found["target"],
            found["permissive"] == "1",
        )
        for found in RECORD.finditer(recorded)
        if found["source"] == own
    )
    return tuple(dict.fromkeys(denials))


def unheld(place: Place, world: World) -> Decision:
    """The control: what the oracle says of the same user without what holds it, which the kernel does as well."""
    free = replace(world.attempts[-1], user="free", expect=None, at=None)
    place.build(world)
    (decision,) = predict(world, (free,), rules_of(place.facts))
    assert judge(free, decision, place.attempt((free,))[0]).differences == ()
    return decision


POOL = ("a_t", "b_t", "c_t")
"""The types of random worlds."""


def pool(chance: random.Random) -> list[Confinement]:
    """Domains of random worlds: each has most permissions to each type."""
    kinds = [(target, kind) for target in POOL for kind in CLASSES]
    kinds += [("self", kind) for kind in sorted({*SOCKETS.values()})]
    made = []
    for _ in range(8):
        rules = []
        for target, kind in kinds:
            given = [name for name in CLASSES[kind] if chance.random() < 0.85]
            rules += [f"{target}:{kind} {' '.join(given)}"] if given else []
        made.append(Confinement(selinux=tuple(sorted(rules))))
    return made


def typed(world: World, domains: Sequence[Confinement], chance: random.Random) -> World:
    """A random world whose nodes have types and whose users are in domains; without root directories of their own."""

    def with_types(node: Node) -> Node:
        bare = node.kind == "absent" or node.fs == "bind" or node.path.startswith("@")
        label = None if bare or chance.random() < 0.4 else chance.choice(POOL)
        domain = None if node.kind != "socket" or chance.random() < 0.4 else chance.choice(POOL)
        return replace(node, label=label, domain=domain)

    def held(user: User) -> User:
        return replace(user, confined=None if chance.random() < 0.2 else chance.choice(domains))

    return replace(
        world,
        users=tuple(map(held, world.users)),
        nodes=tuple(map(with_types, world.nodes)),
        attempts=tuple(attempt for attempt in world.attempts if attempt.root is None),
    )
