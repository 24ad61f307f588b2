"""Worlds whose user web is held by a filter of system calls, a Landlock domain or an AppArmor profile.

Each layer alone, and on top of another refusal, with what is tried, what the kernel answers, and which layer decides.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.oracle import predict, rules_of
from harness.trials.verdict import judge
from harness.world import Attempt, Confinement, LandlockRight, Node, User, World, complete, dumps, loads

if TYPE_CHECKING:
    from harness.engines.protocol import Place
    from harness.oracle import Layer
    from harness.world import FilteredCall, Operation

NODES = (
    Node("/open", "directory", mode=0o777),
    Node("/open/other", "directory", mode=0o777),
    Node("/closed", "directory", mode=0o700),
    Node("/shut", "directory", mode=0o755),
    Node("/frozen", "mount", mode=0o777, fs="tmpfs", options=("ro",)),
    Node("/open/live", "socket", mode=0o777),
    Node("/open/mine", "socket", owner="web", mode=0o700),
    Node("/open/theirs", "socket", mode=0o700),
    Node("/open/dead", "socket", mode=0o777, state="stale"),
    Node("/open/bound", "socket", mode=0o777, state="bound"),
    Node("/open/file", "file", owner="web"),
    Node("/open/gone", "file", owner="web"),
    Node("/shut/live", "socket", owner="web", mode=0o777),
    Node("/shut/file", "file", owner="web"),
    Node("/open/secret", "file", mode=0o600),
    Node("/open/program", "file", mode=0o755),
    Node("/frozen/file", "file", owner="web"),
    Node("@name", "socket"),
    Node("@bound", "socket", state="bound"),
)


def confined(confinement: Confinement, *attempts: Attempt) -> World:
    """A world in which web is held, and free is not."""
    users = (User("web", 33, 33, confined=confinement), User("free", 33, 33))
    return complete(World("confined", users=users, nodes=NODES, attempts=attempts))


def asks(operation: Operation, path: str, expect: str, to: str | None = None, at: str | None = None) -> Attempt:
    mode, group = (0o600 if operation == "chmod" else None), (33 if operation == "chown" else None)
    return Attempt("web", operation, path, to, mode, expect=expect, at=at, group=group)


SECCOMP: dict[str, tuple[dict[FilteredCall, str], Attempt, str | None]] = {
    "no-unix-sockets": ({"socket": "EAFNOSUPPORT"}, asks("connect", "/open/live", "EAFNOSUPPORT"), "seccomp"),
    "no-unix-sockets-and-a-closed-way": (
        {"socket": "EAFNOSUPPORT"},
        asks("connect", "/closed/live", "EAFNOSUPPORT", at="/closed/live"),
        "seccomp",
    ),
    "no-unix-sockets-to-bind": ({"socket": "EPERM"}, asks("bind", "/open/new", "EPERM"), "seccomp"),
    "no-connect": ({"connect": "EPERM"}, asks("connect", "/open/live", "EPERM"), "seccomp"),
    "no-connect-where-nobody-listens": ({"connect": "EPERM"}, asks("connect", "/open/dead", "EPERM"), "seccomp"),
    "no-connect-but-what-is-closed-to-bind": ({"connect": "EPERM"}, asks("bind", "/shut/new", "EACCES"), "path"),
    "socket-before-connect": (
        {"socket": "EAFNOSUPPORT", "connect": "EPERM"},
        asks("connect", "/open/live", "EAFNOSUPPORT"),
        "seccomp",
    ),
    "no-connect-to-a-name": ({"connect": "ENOSYS"}, asks("connect", "@nobody", "ENOSYS"), "seccomp"),
    "no-bind": ({"bind": "EACCES"}, asks("bind", "/open/new", "EACCES", at="/open/new"), "seccomp"),
    "no-bind-on-a-read-only-mount": ({"bind": "EPERM"}, asks("bind", "/frozen/new", "EPERM"), "seccomp"),
    "no-unlink": ({"unlink": "EPERM"}, asks("unlink", "/open/mine", "EPERM"), "seccomp"),
    "no-unlink-of-what-is-not-there": ({"unlink": "ENOSYS"}, asks("unlink", "/open/none", "ENOSYS"), "seccomp"),
    "no-unlink-in-a-closed-directory": ({"unlink": "EPERM"}, asks("unlink", "/closed/live", "EPERM"), "seccomp"),
    "no-bind-to-a-name": ({"bind": "EPERM"}, asks("bind", "@new", "EPERM"), "seccomp"),
    "no-rename": ({"rename": "EPERM"}, asks("rename", "/open/mine", "EPERM", "/open/new"), "seccomp"),
    "no-rename-across-mounts": ({"rename": "EACCES"}, asks("rename", "/open/mine", "EACCES", "/frozen/a"), "seccomp"),
    "no-chmod": ({"chmod": "EPERM"}, asks("chmod", "/open/mine", "EPERM"), "seccomp"),
    "no-chmod-of-another's": ({"chmod": "ENOSYS"}, asks("chmod", "/open/theirs", "ENOSYS"), "seccomp"),
    "no-chown": ({"chown": "EPERM"}, asks("chown", "/open/mine", "EPERM", at="/open/mine"), "seccomp"),
    "no-chown-of-what-is-not-there": ({"chown": "EACCES"}, asks("chown", "/open/none", "EACCES"), "seccomp"),
    "no-mkdir": ({"mkdir": "EPERM"}, asks("mkdir", "/open/new", "EPERM", at="/open/new"), "seccomp"),
    "no-mkdir-where-something-is": ({"mkdir": "ENOSYS"}, asks("mkdir", "/open/other", "ENOSYS"), "seccomp"),
    "no-mkdir-behind-a-closed-one": ({"mkdir": "ENOSYS"}, asks("mkdir", "/closed/new", "ENOSYS"), "seccomp"),
    "no-truncate": ({"truncate": "EPERM"}, asks("truncate", "/open/file", "EPERM", at="/open/file"), "seccomp"),
    "no-truncate-of-a-directory": ({"truncate": "ENOSYS"}, asks("truncate", "/open/other", "ENOSYS"), "seccomp"),
    "no-execve": ({"execute": "EPERM"}, asks("execute", "/open/program", "EPERM", at="/open/program"), "seccomp"),
    "no-execve-of-what-is-no-program": ({"execute": "ENOSYS"}, asks("execute", "/open/secret", "ENOSYS"), "seccomp"),
    "no-reading": ({"open": "EPERM"}, asks("read", "/open/file", "EPERM", at="/open/file"), "seccomp"),
    "no-reading-behind-a-closed-one": ({"open": "ENOSYS"}, asks("read", "/closed/file", "ENOSYS"), "seccomp"),
    "no-list": ({"open": "EPERM"}, asks("list", "/open/other", "EPERM", at="/open/other"), "seccomp"),
    "no-list-of-a-closed-one": ({"open": "EPERM"}, asks("list", "/closed", "EPERM"), "seccomp"),
    "no-writing": ({"open": "EAFNOSUPPORT"}, asks("write", "/open/file", "EAFNOSUPPORT"), "seccomp"),
    "no-writing-on-a-read-only-mount": ({"open": "EPERM"}, asks("write", "/frozen/file", "EPERM"), "seccomp"),
    "no-new-file": ({"open": "EPERM"}, asks("create", "/open/new", "EPERM", at="/open/new"), "seccomp"),
    "no-new-file-in-a-closed-directory": ({"open": "ENOSYS"}, asks("create", "/shut/new", "ENOSYS"), "seccomp"),
    "no-file-but-a-directory": ({"open": "EPERM"}, asks("mkdir", "/open/new", "ok"), None),
    "no-file-but-a-look": ({"open": "EPERM"}, asks("stat", "/open/file", "ok"), None),
    "no-truncate-but-a-write": ({"truncate": "EPERM"}, asks("write", "/open/file", "ok"), None),
    "no-unlink-but-a-connect": ({"unlink": "EPERM"}, asks("connect", "/open/live", "ok"), None),
}
BIND, ABSTRACT = frozenset[LandlockRight]({"bind"}), frozenset[LandlockRight]({"abstract"})
LANDLOCK = {
    "no-names-outside": (ABSTRACT, asks("connect", "@name", "EPERM"), "Landlock"),
    "no-names-outside-where-nobody-listens": (ABSTRACT, asks("connect", "@bound", "ECONNREFUSED"), "socket"),
    "no-names-outside-and-none-there": (ABSTRACT, asks("connect", "@nobody", "ECONNREFUSED"), "socket"),
    "no-names-outside-but-a-path": (ABSTRACT, asks("connect", "/open/live", "ok"), None),
    "no-names-outside-but-a-new-one": (ABSTRACT, asks("bind", "@new", "ok"), None),
    "no-new-sockets": (BIND, asks("bind", "/open/new", "EACCES", at="/open"), "Landlock"),
    "no-new-sockets-in-a-closed-directory": (BIND, asks("bind", "/shut/new", "EACCES", at="/shut"), "Landlock"),
    "no-new-sockets-behind-a-closed-one": (BIND, asks("bind", "/closed/new", "EACCES", at="/closed"), "path"),
    "no-new-sockets-on-a-read-only-mount": (BIND, asks("bind", "/frozen/new", "EROFS"), "path"),
    "no-new-sockets-where-one-is": (BIND, asks("bind", "/open/live", "EADDRINUSE"), "path"),
    "no-new-sockets-but-a-name": (BIND, asks("bind", "@new", "ok"), None),
    "no-new-sockets-but-a-connection": (BIND, asks("connect", "@name", "ok"), None),
    "a-socket-keeps-its-name": (BIND, asks("rename", "/open/mine", "EACCES", "/open/new"), "Landlock"),
    "a-socket-keeps-its-directory": (BIND, asks("rename", "/open/mine", "EACCES", "/open/other/new"), "Landlock"),
    "a-file-gets-a-name": (BIND, asks("rename", "/open/file", "ok", "/open/new"), None),
    "a-file-keeps-its-directory": (BIND, asks("rename", "/open/file", "EXDEV", "/open/other/file"), "Landlock"),
    "a-file-out-of-a-closed-directory": (BIND, asks("rename", "/shut/file", "EXDEV", "/open/gone"), "Landlock"),
    "a-socket-out-of-a-closed-directory": (BIND, asks("rename", "/shut/live", "EACCES", "/open/gone"), "Landlock"),
    "a-file-keeps-a-closed-directory": (BIND, asks("rename", "/open/file", "EXDEV", "/shut/file"), "Landlock"),
    "what-is-not-there": (BIND, asks("rename", "/open/none", "ENOENT", "/open/new"), "path"),
    "a-socket-can-be-removed": (BIND, asks("unlink", "/open/mine", "ok"), None),
}
SINCE: dict[LandlockRight, tuple[int, int]] = {"bind": (5, 13), "abstract": (6, 12), "resolve": (7, 1)}
"""Which kernels have what a domain takes away (landlock(7))."""
RESOLVE = frozenset[LandlockRight]({"resolve"})
RESOLVING = {
    "no-sockets-outside": (RESOLVE, asks("connect", "/open/live", "EACCES", at="/open/live"), "Landlock"),
    "no-sockets-outside-and-a-closed-way": (RESOLVE, asks("connect", "/closed/live", "EACCES", at="/closed"), "path"),
    "no-sockets-outside-and-no-permission": (RESOLVE, asks("connect", "/open/theirs", "EACCES"), "path"),
    "no-sockets-outside-where-nobody-listens": (RESOLVE, asks("connect", "/open/dead", "ECONNREFUSED"), "socket"),
    "no-sockets-outside-of-another-type": (
        RESOLVE,
        dataclasses.replace(asks("connect", "/open/live", "EPROTOTYPE"), type="dgram"),
        "socket",
    ),
    "no-sockets-outside-that-do-not-listen": (RESOLVE, asks("connect", "/open/bound", "EACCES"), "Landlock"),
    "no-sockets-outside-but-a-name": (RESOLVE, asks("connect", "@name", "ok"), None),
    "no-sockets-outside-but-a-new-one": (RESOLVE, asks("bind", "/open/new", "ok"), None),
    "no-sockets-outside-keeps-files": (RESOLVE, asks("rename", "/open/file", "EXDEV", "/open/other/file"), "Landlock"),
}
"""Since Linux 7.1 (ABI 9)."""

OPEN = ("/open/** w", "network unix")
NONE = ("network unix",)
PROFILES: dict[str, tuple[tuple[str, ...], Attempt, Layer | None]] = {
    "a-path-that-is-listed": (OPEN, asks("connect", "/open/live", "ok"), None),
    "a-closed-way": (NONE, asks("connect", "/closed/live", "EACCES", at="/closed"), "path"),
    "no-permission": (NONE, asks("connect", "/open/theirs", "EACCES", at="/open/theirs"), "path"),
    "nobody-listens": (NONE, asks("connect", "/open/dead", "ECONNREFUSED"), "socket"),
    "no-unix-sockets": ((), asks("connect", "/open/live", "EACCES", at="/open/live"), "AppArmor"),
    "no-unix-sockets-and-a-closed-way": ((), asks("connect", "/closed/live", "EACCES", at="/closed/live"), "AppArmor"),
    "no-unix-sockets-and-none-there": ((), asks("connect", "/open/none", "EACCES", at="/open/none"), "AppArmor"),
    "no-unix-sockets-to-a-name": ((), asks("connect", "@nobody", "EACCES", at="@nobody"), "AppArmor"),
    "no-unix-sockets-to-bind": (("/open/** w",), asks("bind", "/open/new", "EACCES", at="/open/new"), "AppArmor"),
    "a-new-name-that-is-listed": (OPEN, asks("bind", "/open/new", "ok"), None),
    "a-new-name": (NONE, asks("bind", "/open/new", "EACCES", at="/open/new"), "AppArmor"),
    "a-new-name-that-is-denied": ((*OPEN, "deny /open/new w"), asks("bind", "/open/new", "EACCES"), "AppArmor"),
    "a-new-name-in-a-closed-directory": (NONE, asks("bind", "/shut/new", "EACCES", at="/shut/new"), "AppArmor"),
    "a-new-name-behind-a-closed-one": (NONE, asks("bind", "/closed/new", "EACCES", at="/closed"), "path"),
    "a-new-name-on-a-read-only-mount": (NONE, asks("bind", "/frozen/new", "EROFS"), "path"),
    "a-name-that-is-there": (NONE, asks("bind", "/open/live", "EADDRINUSE"), "path"),
    "one-star-is-one-name": (("/open/* w", "network unix"), asks("bind", "/open/other/new", "EACCES"), "AppArmor"),
    "two-stars-are-many": (OPEN, asks("bind", "/open/other/new", "ok"), None),
    "a-name-to-remove": (NONE, asks("unlink", "/open/mine", "EACCES", at="/open/mine"), "AppArmor"),
    "a-name-to-remove-that-is-listed": (OPEN, asks("unlink", "/open/mine", "ok"), None),
    "a-name-to-remove-that-is-not-there": (NONE, asks("unlink", "/open/none", "ENOENT"), "path"),
    "a-name-to-remove-in-a-closed-directory": (
        NONE,
        asks("unlink", "/shut/live", "EACCES", at="/shut/live"),
        "AppArmor",
    ),
    "a-name-to-remove-there-that-is-listed": (
        ("/shut/live w", "network unix"),
        asks("unlink", "/shut/live", "EACCES", at="/shut"),
        "path",
    ),
    "names-to-move": (OPEN, asks("rename", "/open/mine", "ok", "/open/new"), None),
    "a-name-to-move": (("/open/new w",), asks("rename", "/open/mine", "EACCES", "/open/new", "/open/mine"), "AppArmor"),
    "a-name-to-move-to": (
        ("/open/mine w",),
        asks("rename", "/open/mine", "EACCES", "/open/new", "/open/new"),
        "AppArmor",
    ),
    "a-directory-ends-in-a-slash": (("/open/* w",), asks("rename", "/open/other", "EACCES", "/open/new"), "AppArmor"),
    "a-directory-that-is-listed": (("/open/** w",), asks("rename", "/open/other", "ok", "/open/new"), None),
    "a-mode": (NONE, asks("chmod", "/open/mine", "EACCES", at="/open/mine"), "AppArmor"),
    "a-mode-that-is-listed": (OPEN, asks("chmod", "/open/mine", "ok"), None),
    "a-mode-of-another's": (NONE, asks("chmod", "/open/theirs", "EACCES", at="/open/theirs"), "AppArmor"),
    "a-mode-of-another's-that-is-listed": (OPEN, asks("chmod", "/open/theirs", "EPERM"), "path"),
    "a-new-file": (NONE, asks("create", "/open/new", "EACCES", at="/open/new"), "AppArmor"),
    "a-new-file-that-is-listed": (OPEN, asks("create", "/open/new", "ok"), None),
    "a-new-file-in-a-closed-directory": (NONE, asks("create", "/shut/new", "EACCES", at="/shut/new"), "AppArmor"),
    "a-new-file-on-a-read-only-mount": (NONE, asks("create", "/frozen/new", "EROFS"), "path"),
    "a-file-that-is-there": (NONE, asks("create", "/open/file", "EACCES", at="/open/file"), "AppArmor"),
    "a-file-that-is-there-and-listed": (OPEN, asks("create", "/open/file", "ok"), None),
    "a-file-that-is-there-on-a-read-only-mount": (NONE, asks("create", "/frozen/file", "EROFS"), "path"),
    "a-socket-that-is-there": (NONE, asks("create", "/open/mine", "EACCES", at="/open/mine"), "AppArmor"),
    "a-socket-that-is-there-and-listed": (OPEN, asks("create", "/open/mine", "ENXIO"), "path"),
    "a-new-directory": (NONE, asks("mkdir", "/open/new", "EACCES", at="/open/new"), "AppArmor"),
    "a-new-directory-that-is-listed": (OPEN, asks("mkdir", "/open/new", "ok"), None),
    "a-new-directory-ends-in-a-slash": (("/open/* w",), asks("mkdir", "/open/new", "EACCES"), "AppArmor"),
    "a-new-directory-listed-with-its-slash": (("/open/new/ w",), asks("mkdir", "/open/new", "ok"), None),
    "a-new-directory-in-a-closed-one": (NONE, asks("mkdir", "/shut/new", "EACCES", at="/shut/new"), "AppArmor"),
    "a-new-directory-where-one-is": (NONE, asks("mkdir", "/open/other", "EEXIST"), "path"),
    "a-new-directory-on-a-read-only-mount": (NONE, asks("mkdir", "/frozen/new", "EROFS"), "path"),
    "a-file-to-write": (NONE, asks("write", "/open/file", "EACCES", at="/open/file"), "AppArmor"),
    "a-file-to-write-that-is-listed": (OPEN, asks("write", "/open/file", "ok"), None),
    "a-file-to-write-that-is-denied": ((*OPEN, "deny /open/file w"), asks("write", "/open/file", "EACCES"), "AppArmor"),
    "a-file-to-write-without-permission": (NONE, asks("write", "/open/secret", "EACCES", at="/open/secret"), "path"),
    "a-file-to-write-on-a-read-only-mount": (NONE, asks("write", "/frozen/file", "EROFS"), "path"),
    "a-socket-to-write": (NONE, asks("write", "/open/mine", "EACCES"), "AppArmor"),
    "a-socket-to-write-that-is-listed": (OPEN, asks("write", "/open/mine", "ENXIO"), "path"),
    "a-file-to-cut-off": (NONE, asks("truncate", "/open/file", "EACCES", at="/open/file"), "AppArmor"),
    "a-file-to-cut-off-that-is-listed": (OPEN, asks("truncate", "/open/file", "ok"), None),
    "a-file-to-cut-off-on-a-read-only-mount": (NONE, asks("truncate", "/frozen/file", "EROFS"), "path"),
    "a-socket-to-cut-off": (NONE, asks("truncate", "/open/mine", "EINVAL"), "path"),
    "a-group-to-change": (NONE, asks("chown", "/open/mine", "EACCES", at="/open/mine"), "AppArmor"),
    "a-group-to-change-that-is-listed": (OPEN, asks("chown", "/open/mine", "ok"), None),
    "a-group-to-change-of-another's": (NONE, asks("chown", "/open/theirs", "EACCES"), "AppArmor"),
    "a-group-to-change-of-another's-that-is-listed": (OPEN, asks("chown", "/open/theirs", "EPERM"), "path"),
    "a-group-to-change-on-a-read-only-mount": (NONE, asks("chown", "/frozen/file", "EROFS"), "path"),
    "a-file-to-read": (NONE, asks("read", "/open/file", "ok"), None),
    "a-file-to-read-that-is-denied": (("deny /open/file r",), asks("read", "/open/file", "EACCES"), "AppArmor"),
    "a-file-to-read-that-is-denied-to-be-written": (("deny /open/file w",), asks("read", "/open/file", "ok"), None),
    "a-file-to-write-that-is-denied-to-be-read": (
        ("/open/file w", "deny /open/file r"),
        asks("write", "/open/file", "ok"),
        None,
    ),
    "a-file-to-read-without-permission": (
        ("deny /open/** r",),
        asks("read", "/open/secret", "EACCES", at="/open/secret"),
        "path",
    ),
    "a-socket-to-read": (("deny /open/mine r",), asks("read", "/open/mine", "EACCES"), "AppArmor"),
    "a-socket-to-read-that-is-not-denied": (NONE, asks("read", "/open/mine", "ENXIO"), "path"),
    "a-directory-to-read": (("deny /open/other/ r",), asks("read", "/open/other", "EACCES"), "AppArmor"),
    "a-directory-to-read-that-is-not-denied": (("deny /open/* r",), asks("read", "/open/other", "EISDIR"), "path"),
    "a-directory-to-list": (("deny /open/other/ r",), asks("list", "/open/other", "EACCES"), "AppArmor"),
    "a-directory-to-list-that-is-not-denied": (("deny /open/other r",), asks("list", "/open/other", "ok"), None),
    "a-file-to-list": (("deny /open/** r",), asks("list", "/open/file", "ENOTDIR"), "path"),
    "a-program": (NONE, asks("execute", "/open/program", "ok"), None),
    "a-program-that-is-denied": (("deny /open/program x",), asks("execute", "/open/program", "EACCES"), "AppArmor"),
    "a-program-that-is-denied-to-be-read": (("deny /open/program r",), asks("execute", "/open/program", "ok"), None),
    "what-nobody-may-execute": (("deny /open/** x",), asks("execute", "/open/secret", "EACCES"), "path"),
    "a-file-to-look-at-that-is-denied": (("deny /open/file r",), asks("stat", "/open/file", "ok"), None),
}
"""On every kernel that asks AppArmor."""
PEERS: dict[str, tuple[tuple[str, ...], Attempt, Layer | None]] = {
    "a-connection": (NONE, asks("connect", "/open/live", "EACCES", at="/open/live"), "AppArmor"),
    "a-connection-that-is-denied": ((*OPEN, "deny /open/live w"), asks("connect", "/open/live", "EACCES"), "AppArmor"),
    "a-connection-that-one-star-takes": (("/open/* w", "network unix"), asks("connect", "/open/live", "ok"), None),
    "a-connection-to-who-does-not-listen": (NONE, asks("connect", "/open/bound", "ECONNREFUSED"), "socket"),
}
"""Where connections to named sockets are asked about: since Linux 6.17, with a compiler that knows of it."""
UNASKED: dict[str, tuple[tuple[str, ...], Attempt, Layer | None]] = {
    name: (rules, dataclasses.replace(attempt, expect="ok" if layer else attempt.expect, at=None), None)
    if layer != "socket"
    else (rules, attempt, layer)
    for name, (rules, attempt, layer) in PEERS.items()
}
"""The same where they are not."""


def agree(place: Place, world: World, layer: str | None) -> None:
    """Oracle, kernel and the world's author say the same; the oracle names the layer. The file says the same too."""
    attempt = world.attempts[0]
    assert loads(dumps(world)) == world
    place.build(world)
    (decision,) = predict(world, (attempt,), rules_of(place.facts))
    (observation,) = place.attempt((attempt,))
    assert judge(attempt, decision, observation).differences == ()
    assert decision.layer == layer
    if layer in {"seccomp", "Landlock", "AppArmor"}:
        # The control: without what holds it, the same user gets another answer, or one for another reason.
        free = dataclasses.replace(attempt, user="free", expect=None, at=None)
        place.build(world)
        (unheld,) = predict(world, (free,), rules_of(place.facts))
        assert judge(free, unheld, place.attempt((free,))[0]).differences == ()
        assert (unheld.outcome, unheld.layer) != (decision.outcome, layer)
