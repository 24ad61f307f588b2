"""What makes, removes, moves and changes names and modes, and how one attempt's effect meets the next."""

from __future__ import annotations

import pytest

from harness.oracle import Rules, freebsd, linux, netbsd, openbsd, xnu
from harness.world import Attempt, Node
from tests.unit.harness.oracle.conftest import ask, directory, entry, link, outcome, outcomes, socket

READ_ONLY = Node("/srv/m", "mount", mode=0o777, fs="tmpfs", options=("ro",))


def test_bind_needs_write_and_search_permission_of_one_class_on_the_directory() -> None:
    assert outcome("alice", "bind", "/run/d/s", directory("/run/d", 0o300)) == "ok"
    assert outcome("alice", "bind", "/run/d/s", directory("/run/d", 0o200)) == "EACCES"
    refused = ask("bob", "bind", "/run/d/s", directory("/run/d", 0o757))
    assert (refused.outcome, refused.at, refused.needs, refused.has) == ("EACCES", "/run/d", "wx", "rx")


@pytest.mark.parametrize(
    "there",
    [socket(), socket(state="stale"), Node("/run/s", "file"), link("/run/s", "/nowhere"), directory("/run/s", 0)],
)
def test_bind_refuses_a_name_that_is_taken_by_anything_before_it_asks_for_permission(there: Node) -> None:
    assert outcome("dan", "bind", "/run/s", there) == "EADDRINUSE"


@pytest.mark.parametrize("path", ["/run/.", "/run/..", "/run/d/..", "/", "."])
def test_bind_refuses_a_path_that_ends_in_no_name(path: str) -> None:
    assert outcome("root", "bind", path, directory("/run/d", 0o755)) == "EADDRINUSE"


def test_bind_refuses_a_closing_slash_unless_something_is_there() -> None:
    assert outcome("root", "bind", "/run/s/") == "ENOENT"
    assert outcome("root", "bind", "/run/s/", socket()) == "EADDRINUSE"


def test_a_read_only_mount_refuses_bind_after_a_taken_name_and_before_permission() -> None:
    closed = Node("/srv/m", "mount", mode=0o711, fs="tmpfs", options=("ro",))
    refused = ask("dan", "bind", "/srv/m/s", closed)
    assert (refused.outcome, refused.at) == ("EROFS", "/srv/m")
    assert outcome("dan", "bind", "/srv/m/s", closed, socket("/srv/m/s")) == "EADDRINUSE"


def test_a_new_socket_is_its_makers_without_the_umasks_bits_and_nobody_listens() -> None:
    tries = [Attempt("bob", "bind", "/tmp/s"), *(Attempt(who, "connect", "/tmp/s") for who in ("bob", "dan", "root"))]
    assert outcomes(*tries, nodes=()) == ["ok", "ECONNREFUSED", "EACCES", "ECONNREFUSED"]


@pytest.mark.parametrize(("mode", "who", "said"), [(0o777, "bob", "EACCES"), (0o2777, "bob", "EACCES")])
def test_a_new_socket_gives_nothing_to_a_group(mode: int, who: str, said: str) -> None:
    tries = (Attempt("dan", "bind", "/run/d/s"), Attempt(who, "connect", "/run/d/s"))
    assert outcomes(*tries, nodes=(directory("/run/d", mode),)) == ["ok", said]


@pytest.mark.parametrize(("mode", "said"), [(0o777, "EACCES"), (0o2777, "ECONNREFUSED")])
def test_in_a_setgid_directory_a_new_socket_has_the_directorys_group(mode: int, said: str) -> None:
    tries = (
        Attempt("dan", "bind", "/run/d/s"),
        Attempt("dan", "chmod", "/run/d/s", mode=0o660),
        Attempt("bob", "connect", "/run/d/s"),
    )
    assert outcomes(*tries, nodes=(directory("/run/d", mode),)) == ["ok", "ok", said]


def test_on_the_bsds_a_new_socket_always_has_the_directorys_group() -> None:
    tries = (
        Attempt("dan", "bind", "/run/d/s"),
        Attempt("dan", "chmod", "/run/d/s", mode=0o660),
        Attempt("bob", "connect", "/run/d/s"),
    )
    nodes = (directory("/run/d", 0o777),)
    assert outcomes(*tries, nodes=nodes, rules=freebsd()) == ["ok", "ok", "ECONNREFUSED"]


def test_netbsd_binds_behind_a_symlink_and_openbsd_does_not() -> None:
    nodes = (link("/run/l", "/tmp/s"),)
    assert ask("dan", "bind", "/run/l", *nodes, rules=netbsd()).at == "/tmp/s"
    assert outcome("dan", "bind", "/run/l", *nodes, rules=openbsd()) == "EADDRINUSE"


def test_macos_binds_behind_a_symlink_and_the_others_do_not() -> None:
    nodes = (link("/run/l", "/tmp/s"),)
    assert ask("dan", "bind", "/run/l", *nodes, rules=xnu()).at == "/tmp/s"
    assert outcome("dan", "bind", "/run/l", link("/run/l", "l"), rules=xnu()) == "ELOOP"
    assert outcome("dan", "bind", "/run/l", *nodes, rules=freebsd()) == "EADDRINUSE"
    assert outcome("dan", "bind", "/run/l", *nodes) == "EADDRINUSE"


def test_an_abstract_name_is_taken_for_its_own_type_and_free_again_after_an_attempt() -> None:
    held = Node("@n", "socket")
    tries = [Attempt("dan", "bind", "@n"), Attempt("dan", "bind", "@n", type="dgram"), Attempt("dan", "bind", "@m")]
    assert outcomes(*tries, Attempt("bob", "bind", "@m"), nodes=(held,)) == ["EADDRINUSE", "ok", "ok", "ok"]


def test_unlink_needs_the_directory_and_not_the_thing() -> None:
    assert outcome("dan", "unlink", "/run/d/s", directory("/run/d", 0o777), socket("/run/d/s", 0)) == "ok"
    assert ask("dan", "unlink", "/run/s", socket(mode=0o777)).at == "/run"


@pytest.mark.parametrize(
    ("user", "said"), [("dan", "EPERM"), ("bob", "ok"), ("alice", "ok"), ("fowner", "ok"), ("powerless", "EPERM")]
)
@pytest.mark.parametrize("operation", ["unlink", "rename"])
def test_in_a_sticky_directory_only_owners_take_a_name_away(user: str, said: str, operation: str) -> None:
    nodes = (directory("/run/d", 0o1777), socket("/run/d/s", 0o777, "bob"))
    to = "/run/d/t" if operation == "rename" else None
    decision = ask(user, operation, "/run/d/s", *nodes, to=to)
    assert (decision.outcome, decision.at) == (said, "/run/d/s")


def test_a_sticky_directory_that_may_not_be_written_says_eacces() -> None:
    assert outcome("dan", "unlink", "/run/d/s", directory("/run/d", 0o1755), socket("/run/d/s")) == "EACCES"


def test_a_sticky_directory_does_not_keep_anybody_from_squatting() -> None:
    tries = (Attempt("dan", "bind", "/tmp/server.sock"), Attempt("alice", "bind", "/tmp/server.sock"))
    assert outcomes(*tries, nodes=()) == ["ok", "EADDRINUSE"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/tmp/d", "EISDIR"),
        ("/tmp/d/", "EISDIR"),
        ("/tmp/d/.", "EISDIR"),
        ("/tmp/d/..", "EISDIR"),
        ("/", "EISDIR"),
        ("/tmp/f/", "ENOTDIR"),
        ("/tmp/l/", "ENOTDIR"),
        ("/tmp/nothing", "ENOENT"),
        ("/tmp/nothing/", "ENOENT"),
        ("/tmp/" + "n" * 256, "ENAMETOOLONG"),
        ("/tmp/l", "ok"),
    ],
)
def test_unlink_removes_names_of_what_is_no_directory(path: str, said: str) -> None:
    nodes = (directory("/tmp/d", 0o755, "dan"), Node("/tmp/f", "file", "dan"), link("/tmp/l", "d", "dan"))
    assert outcome("dan", "unlink", path, *nodes) == said


def test_the_bsds_call_the_unlinking_of_a_directory_eperm() -> None:
    assert outcome("dan", "unlink", "/tmp/d", directory("/tmp/d", 0o755, "dan"), rules=freebsd()) == "EPERM"


@pytest.mark.parametrize(
    ("rules", "said"), [(linux(), "EISDIR"), (freebsd(), "EPERM"), (openbsd(), "EBUSY"), (netbsd(), "EBUSY")]
)
def test_a_mount_is_told_of_before_a_directory_on_openbsd_and_netbsd(rules: Rules, said: str) -> None:
    assert outcome("root", "unlink", "/srv/m", READ_ONLY, rules=rules) == said


def test_unlink_spares_what_is_mounted_upon_and_what_is_read_only() -> None:
    point = Node("/run/seen", "mount", fs="bind", options=("from=/run/s",))
    assert outcome("root", "unlink", "/run/seen", socket(), point) == "EBUSY"
    assert outcome("root", "unlink", "/srv/m/s", READ_ONLY, socket("/srv/m/s")) == "EROFS"
    assert outcome("root", "unlink", "/srv/m/nothing", READ_ONLY) == "EROFS"


def test_what_is_unlinked_is_gone_and_its_name_is_free() -> None:
    tries = [
        Attempt("alice", operation, "/run/d/s")
        for operation in ("connect", "unlink", "connect", "unlink", "bind", "connect")
    ]
    said = outcomes(*tries, nodes=(directory("/run/d", 0o755), socket("/run/d/s")))
    assert said == ["ok", "ok", "ENOENT", "ENOENT", "ok", "ECONNREFUSED"]


def test_what_is_moved_answers_under_its_new_name_only() -> None:
    tries = (
        Attempt("alice", "rename", "/run/d/s", to="/run/d/e/t"),
        Attempt("alice", "connect", "/run/d/s"),
        Attempt("alice", "connect", "/run/d/e/t"),
        Attempt("alice", "rename", "/run/d/e", to="/run/d/f"),
        Attempt("alice", "connect", "/run/d/f/t"),
    )
    nodes = (directory("/run/d", 0o755), directory("/run/d/e", 0o755), socket("/run/d/s"))
    assert outcomes(*tries, nodes=nodes) == ["ok", "ENOENT", "ok", "ok", "ok"]


PLAIN = (
    directory("/w", 0o777),
    directory("/w/a", 0o777),
    directory("/w/a/b", 0o777),
    directory("/w/empty", 0o777),
    directory("/w/foreign", 0o755),
    socket("/w/s"),
    socket("/w/a/t"),
)


@pytest.mark.parametrize(
    ("path", "to", "said", "at"),
    [
        ("/w/s", "/w/new", "ok", "/w/s"),
        ("/w/s", "/w/a/t", "ok", "/w/s"),
        ("/w/s", "/w/s", "ok", "/w/s"),
        ("/w/nothing", "/w/new", "ENOENT", "/w/nothing"),
        ("/w/nothing", "/w/nowhere/new", "ENOENT", "/w/nowhere"),
        ("/w/s", "/w/" + "n" * 256, "ENAMETOOLONG", "/w/" + "n" * 256),
        ("/w/s/", "/w/new", "ENOTDIR", "/w/s"),
        ("/w/s", "/w/new/", "ENOTDIR", "/w/s"),
        ("/w/empty/", "/w/new/", "ok", "/w/empty"),
        ("/w/a/.", "/w/new", "EBUSY", "/w/a"),
        ("/w/s", "/w/a/..", "EBUSY", "/w"),
        ("/w/a", "/w/a/b/c", "EINVAL", "/w/a"),
        ("/w/a/t", "/w/a", "ENOTEMPTY", "/w/a"),
        ("/w/empty", "/w/a", "ENOTEMPTY", "/w/a"),
        ("/w/a", "/w/empty", "ok", "/w/a"),
        ("/w/a", "/w/s", "ENOTDIR", "/w/s"),
        ("/w/s", "/w/empty", "EISDIR", "/w/empty"),
        ("/w/s", "/w/foreign/new", "EACCES", "/w/foreign"),
        ("/w/foreign", "/w/new", "ok", "/w/foreign"),
        ("/w/foreign", "/w/a/new", "EACCES", "/w/foreign"),
        ("/w/s", "/tmp/new", "ok", "/w/s"),
        ("/w/s", "/srv/m/new", "EXDEV", "/w/s"),
        ("/srv/m/s", "/srv/m/new", "EROFS", "/srv/m"),
    ],
)
def test_rename_refuses_with_the_kernels_errno_at_the_component_that_decides(
    path: str, to: str, said: str, at: str
) -> None:
    decision = ask("dan", "rename", path, *PLAIN, READ_ONLY, socket("/srv/m/s"), to=to)
    assert (decision.outcome, decision.at) == (said, at)


def test_rename_refuses_to_replace_what_is_anothers_in_a_sticky_directory() -> None:
    nodes = (socket("/tmp/mine", owner="dan"), socket("/tmp/theirs", owner="bob"))
    decision = ask("dan", "rename", "/tmp/mine", *nodes, to="/tmp/theirs")
    assert (decision.outcome, decision.at) == ("EPERM", "/tmp/theirs")


def test_rename_refuses_two_mounts_of_one_file_system_and_moves_no_mount_point() -> None:
    seen = Node("/srv/b", "mount", fs="bind", options=("from=/srv/a",))
    nodes = (directory("/srv/a", 0o777), socket("/srv/a/s"), seen)
    assert outcome("root", "rename", "/srv/a/s", *nodes, to="/srv/b/t") == "EXDEV"
    assert outcome("root", "rename", "/srv/b", *nodes, to="/srv/c") == "EBUSY"
    assert outcome("root", "rename", "/srv/empty", *nodes, directory("/srv/empty", 0), to="/srv/b") == "EBUSY"


def test_overlayfs_renames_no_directory_that_a_container_has_from_its_image() -> None:
    rules = linux(staying=("/var", "/var/log"))
    own = directory("/var/log/own", 0o755)
    for path, said in (("/var", "EXDEV"), ("/var/log", "EXDEV"), ("/var/lib", "ok"), ("/var/log/own", "ok")):
        assert ask("root", "rename", path, own, to="/moved", rules=rules).outcome == said
        assert ask("root", "rename", path, own, to="/moved", rules=linux()).outcome == "ok"
    assert ask("root", "rename", "/var", directory("/srv/full/d", 0), to="/srv/full", rules=rules).outcome == "EXDEV"


def test_stat_needs_no_permission_on_the_thing_itself() -> None:
    decision = ask("dan", "stat", "/run/s", socket(mode=0))
    assert (decision.outcome, decision.applied, decision.why) == (
        "ok",
        None,
        "dan may stat /run/s: no permission is asked for.",
    )


def test_readlink_reads_symlinks_and_nothing_else() -> None:
    nodes = (link("/run/l", "nowhere"), socket(), link("/run/d", "/srv"))
    assert outcome("dan", "readlink", "/run/l", *nodes) == "ok"
    assert outcome("dan", "readlink", "/run/s", *nodes) == "EINVAL"
    assert outcome("dan", "readlink", "/run/d/", *nodes) == "EINVAL"


@pytest.mark.parametrize(
    ("user", "said"), [("alice", "ok"), ("bob", "EPERM"), ("fowner", "ok"), ("overrider", "EPERM")]
)
def test_chmod_is_for_the_owner_and_cap_fowner(user: str, said: str) -> None:
    decision = ask(user, "chmod", "/run/s", socket(mode=0o777), mode=0o700)
    assert (decision.outcome, decision.at) == (said, "/run/s")


def test_chmod_counts_from_then_on_and_follows_symlinks() -> None:
    tries = (
        Attempt("dan", "connect", "/run/s"),
        Attempt("alice", "chmod", "/run/l", mode=0o666),
        Attempt("dan", "connect", "/run/s"),
    )
    assert outcomes(*tries, nodes=(socket(mode=0o660), link("/run/l", "s"))) == ["EACCES", "ok", "ok"]


def test_chmod_sets_the_mask_of_an_acl() -> None:
    tries = [
        step
        for mode in (0o640, 0o660, 0o606)
        for step in (Attempt("alice", "chmod", "/run/s", mode=mode), Attempt("dan", "connect", "/run/s"))
    ]
    said = outcomes(*tries, nodes=(socket(mode=0o660, acl=(entry("user:dan:6"), entry("group::0"))),))
    assert said == ["ok", "EACCES", "ok", "ok", "ok", "ok"]


def test_chmod_on_a_read_only_mount_is_refused_before_ownership_is_asked() -> None:
    assert outcome("dan", "chmod", "/srv/m/s", READ_ONLY, socket("/srv/m/s"), mode=0) == "EROFS"


@pytest.mark.parametrize(("owner", "said"), [("dan", "EACCES"), ("carol", "ECONNREFUSED")])
def test_chmod_drops_the_setgid_bit_of_who_is_not_in_the_group(owner: str, said: str) -> None:
    tries = (
        Attempt(owner, "chmod", "/run/d", mode=0o2777),
        Attempt("dan", "bind", "/run/d/s"),
        Attempt("dan", "chmod", "/run/d/s", mode=0o660),
        Attempt("bob", "connect", "/run/d/s"),
    )
    assert outcomes(*tries, nodes=(directory("/run/d", 0o755, owner),)) == ["ok", "ok", "ok", said]


@pytest.mark.parametrize("operation", ["unlink", "rename"])
def test_macos_says_eacces_where_a_sticky_directory_refuses(operation: str) -> None:
    nodes = (directory("/run/d", 0o1777), socket("/run/d/s", 0o777, "bob"))
    to = "/run/d/t" if operation == "rename" else None
    assert outcome("dan", operation, "/run/d/s", *nodes, to=to, rules=xnu()) == "EACCES"
    assert outcome("dan", operation, "/run/d/s", *nodes, to=to, rules=freebsd()) == "EPERM"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/run/d", "EPERM"),  # before any permission: /run is root's
        ("/run/d/", "EPERM"),
        ("/run/s/", "ENOTDIR"),
        ("/run/nothing", "ENOENT"),
        ("/", "EISDIR"),
        ("/srv/m/nothing", "ENOENT"),  # a read-only mount is told of once the name was found
        ("/srv/m/s", "EROFS"),
    ],
)
def test_macos_unlinks_in_an_order_of_its_own(path: str, said: str) -> None:
    nodes = (directory("/run/d", 0o755), socket(), READ_ONLY, socket("/srv/m/s"))
    assert outcome("dan", "unlink", path, *nodes, rules=xnu()) == said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/", "EISDIR"),
        ("/tmp/f/", "ENOTDIR"),
        ("/tmp/f", "EADDRINUSE"),
        ("/tmp/nothing/", "ENOENT"),
        ("/srv/m/nothing/", "EROFS"),  # before the slash
        ("/srv/m/s", "EADDRINUSE"),
    ],
)
def test_macos_binds_in_an_order_of_its_own(path: str, said: str) -> None:
    nodes = (Node("/tmp/f", "file"), READ_ONLY, socket("/srv/m/s"))
    assert outcome("dan", "bind", path, *nodes, rules=xnu()) == said
