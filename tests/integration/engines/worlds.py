"""Worlds whose outcomes are written down, not computed: what every engine must observe alike."""

from __future__ import annotations

from harness.world import AclEntry, Attempt, Node, User, World, complete

USERS = (
    User("root", 0, 0),
    User("ali", 1500, 1500, ("web",)),
    User("bob", 1501, "web"),
    User("eve", 1502, 1502),
    User("bare", 0, 0, (), frozenset()),
    User("searcher", 1503, 1503, (), frozenset({"CAP_DAC_READ_SEARCH"})),
    User("keeper", 0, 0, (), frozenset({"CAP_FOWNER"})),
)
NODES = (
    Node("/run/app", "directory", "ali", "web", 0o750),
    Node("/run/app/s", "socket", "ali", "web", 0o660),
    Node("/run/app/stale", "socket", "ali", "web", 0o660, state="stale"),
    Node("/tmp/open", "socket", "ali", "ali", 0o666),
    Node("/tmp/write-only", "socket", "ali", "ali", 0o222),
    Node("/tmp/read-only", "socket", "ali", "ali", 0o444),
    Node("/tmp/not-the-owner", "socket", "ali", "ali", 0o066),
    Node("/tmp/not-the-group", "socket", "eve", "web", 0o602),
    Node("/tmp/dgram", "socket", "root", "root", 0o666, type="dgram"),
    Node("/tmp/seq", "socket", "root", "root", 0o666, type="seqpacket"),
    Node("/tmp/bound", "socket", "root", "root", 0o666, state="bound"),
    Node("/tmp/file", "file", "root", "root", 0o666),
    Node("/tmp/acl", "socket", "ali", "ali", 0o660, acl=(AclEntry("user", "eve", 6),)),
    Node("/tmp/masked", "socket", "ali", "ali", 0o606, acl=(AclEntry("user", "eve", 0),)),
    Node("/srv/link", "symlink", target="/run/app/s"),
    Node("/srv/loop", "symlink", target="loop"),
    Node("/srv/dangling", "symlink", target="nothing"),
    Node("/srv/frozen", "mount", fs="tmpfs", mode=0o777, options=("ro",)),
    Node("/srv/frozen/s", "socket", "root", "root", 0o666),
    Node("/srv/bound", "mount", fs="bind", options=("from=/run/app",)),
    Node("/srv/search-only", "directory", "root", "root", 0o711),
    Node("/srv/search-only/s", "socket", "root", "root", 0o666),
    Node("/srv/read-only", "directory", "root", "root", 0o666),
    Node("/srv/read-only/s", "socket", "root", "root", 0o666),
    Node("/srv/" + "deep/" * 30 + "s", "socket", "root", "root", 0o666),
    Node("@name", "socket"),
)


def _all(user: str, operation: str, **outcomes: str) -> list[tuple[str, str, str, str]]:
    return [(user, operation, path, outcome) for path, outcome in outcomes.items()]


EXPECTED: tuple[tuple[str, str, str, str, str | None], ...] = (
    # user, operation, path, outcome, refusing component
    ("ali", "connect", "/run/app/s", "ok", None),
    ("bob", "connect", "/run/app/s", "ok", None),
    ("eve", "connect", "/run/app/s", "EACCES", "/run/app"),
    ("eve", "connect", "/run/app/nothing", "EACCES", "/run/app"),
    ("bob", "connect", "/run/app/nothing", "ENOENT", "/run/app/nothing"),
    ("bare", "connect", "/run/app/s", "EACCES", "/run/app"),
    ("searcher", "connect", "/run/app/s", "EACCES", "/run/app/s"),
    ("keeper", "connect", "/run/app/s", "EACCES", "/run/app"),
    ("root", "connect", "/run/app/s", "ok", None),
    ("bob", "connect", "/run/app/stale", "ECONNREFUSED", "/run/app/stale"),
    ("searcher", "connect", "/run/app/stale", "EACCES", "/run/app/stale"),
    ("eve", "connect", "/tmp/open", "ok", None),
    ("eve", "connect", "/tmp/write-only", "ok", None),
    ("eve", "connect", "/tmp/read-only", "EACCES", "/tmp/read-only"),
    ("root", "connect", "/tmp/read-only", "ok", None),
    ("ali", "connect", "/tmp/not-the-owner", "EACCES", "/tmp/not-the-owner"),
    ("eve", "connect", "/tmp/not-the-owner", "ok", None),
    ("bob", "connect", "/tmp/not-the-group", "EACCES", "/tmp/not-the-group"),
    ("searcher", "connect", "/tmp/not-the-group", "ok", None),
    ("eve", "connect", "/tmp/dgram", "EPROTOTYPE", "/tmp/dgram"),
    ("eve", "connect", "/tmp/seq", "EPROTOTYPE", "/tmp/seq"),
    ("eve", "connect", "/tmp/bound", "ECONNREFUSED", "/tmp/bound"),
    ("eve", "connect", "/tmp/file", "ECONNREFUSED", "/tmp/file"),
    ("eve", "connect", "/tmp/acl", "ok", None),
    ("bob", "connect", "/tmp/acl", "EACCES", "/tmp/acl"),
    ("eve", "connect", "/tmp/masked", "ok", None),
    ("bob", "connect", "/srv/link", "ok", None),
    ("eve", "connect", "/srv/link", "EACCES", "/run/app"),
    ("eve", "connect", "/srv/loop", "ELOOP", "/srv/loop"),
    ("eve", "connect", "/srv/dangling", "ENOENT", "/srv/nothing"),
    ("eve", "connect", "/srv/link/", "EACCES", "/run/app"),
    ("bob", "connect", "/srv/link/", "ENOTDIR", "/run/app/s"),
    ("eve", "connect", "/srv/frozen/s", "ok", None),
    ("eve", "bind", "/srv/frozen/new", "EROFS", "/srv/frozen"),
    ("bob", "connect", "/srv/bound/s", "ok", None),
    ("eve", "connect", "/srv/bound/s", "EACCES", "/srv/bound"),
    ("eve", "connect", "/srv/search-only/s", "ok", None),
    ("eve", "connect", "/srv/read-only/s", "EACCES", "/srv/read-only"),
    ("eve", "stat", "/srv/" + "deep/" * 30 + "s", "ok", None),
    ("eve", "connect", "/srv/" + "deep/" * 30 + "s", "EINVAL", "/srv/" + "deep/" * 30 + "s"),
    ("eve", "connect", "@name", "ok", None),
    ("eve", "connect", "@nobody", "ECONNREFUSED", "@nobody"),
    ("eve", "unlink", "/tmp/open", "EPERM", "/tmp/open"),
    ("eve", "unlink", "/run/app/s", "EACCES", "/run/app"),
    ("bob", "unlink", "/run/app/s", "EACCES", "/run/app"),
    ("bob", "bind", "/run/app/new", "EACCES", "/run/app"),
    ("eve", "bind", "/tmp/open", "EADDRINUSE", "/tmp/open"),
    ("eve", "chmod", "/tmp/open", "EPERM", "/tmp/open"),
    ("keeper", "chmod", "/tmp/open", "ok", None),
    ("bob", "rename", "/run/app/s", "EACCES", "/run/app"),
    ("eve", "readlink", "/srv/link", "ok", None),
    ("eve", "readlink", "/tmp/open", "EINVAL", "/tmp/open"),
    # Effects stay: what was bound is there, what was unlinked is gone.
    ("eve", "bind", "/tmp/mine", "ok", None),
    ("bob", "bind", "/tmp/mine", "EADDRINUSE", "/tmp/mine"),
    ("eve", "unlink", "/tmp/mine", "ok", None),
    ("eve", "connect", "/tmp/mine", "ENOENT", "/tmp/mine"),
    ("ali", "rename", "/run/app/s", "ok", None),
    ("bob", "connect", "/run/app/moved", "ok", None),
    ("bob", "connect", "/run/app/s", "ENOENT", "/run/app/s"),
)

COMMON = complete(
    World(
        "common",
        groups={"web": 2000},
        users=USERS,
        nodes=NODES,
        attempts=tuple(
            Attempt(
                user,
                operation,  # type: ignore[arg-type]
                path,
                to="/run/app/moved" if operation == "rename" else None,
                mode=0o666 if operation == "chmod" else None,
            )
            for user, operation, path, _, _ in EXPECTED
        ),
    )
)
