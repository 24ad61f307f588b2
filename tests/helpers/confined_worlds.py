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
    Node("@name", "socket"),
    Node("@bound", "socket", state="bound"),
)


def confined(confinement: Confinement, *attempts: Attempt) -> World:
    """A world in which web is held, and free is not."""
    users = (User("web", 33, 33, confined=confinement), User("free", 33, 33))
    return complete(World("confined", users=users, nodes=NODES, attempts=attempts))


def asks(operation: Operation, path: str, expect: str, to: str | None = None, at: str | None = None) -> Attempt:
    return Attempt("web", operation, path, to, 0o600 if operation == "chmod" else None, expect=expect, at=at)


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
