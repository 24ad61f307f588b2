"""What is invalid in a world that was made in Python, where no file's types were checked before."""

from __future__ import annotations

from typing import Any

import pytest

from harness.inside.agent import facts
from harness.world import AclEntry, Attempt, Node, User, World, complete, problems
from harness.world.validation import SYSCTLS

ALICE = User("alice", 1000, 1000)


def said(
    *nodes: Node, users: tuple[User, ...] = (ALICE,), attempts: tuple[Attempt, ...] = (), **more: Any
) -> list[str]:
    """Every problem, as `where: sentence`."""
    world = complete(World("w", users=users, nodes=nodes, attempts=attempts, **more))
    return [f"{'.'.join(map(str, it.where))}: {it.sentence}" for it in problems(world)]


def test_a_world_that_makes_sense_has_no_problems() -> None:
    assert said(Node("/run/s", "socket", "alice", "alice", 0o660)) == []


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"groups": {"a b": 1}}, "groups.a b: 'a b' can't be a group's name (letters, digits, _ . -, at most 32)"),
        ({"groups": {"big": 2**32}}, "groups.big: 4294967296 is not a gid: 0 to 4294967294"),
        ({"groups": {"root": 1}}, "groups.root: the group root is gid 0 everywhere"),
        ({"users": (ALICE, ALICE)}, "users.alice: there are two users named 'alice'"),
        ({"users": (User("root", 5, 0),)}, "users.root.uid: root is uid 0 everywhere"),
        ({"users": (User("a", 1, -3),)}, "users.a.gid: -3 is not a gid: 0 to 4294967294"),
        (
            {"users": (User("a", 10**5000, 1),)},
            "users.a.uid: a number of more than 64 bits is not a uid: 0 to 4294967294",
        ),
    ],
)
def test_names_and_numbers_of_people(more: dict[str, Any], sentence: str) -> None:
    assert sentence in said(**more)


def test_a_setting_is_one_that_places_tell_with_one_of_its_values() -> None:
    assert {*facts.SYSCTLS, "apparmor.af_unix"} == {*SYSCTLS}
    assert said(sysctls={"fs.protected_regular": 2, "net.core.somaxconn": 4096}) == []
    (unknown,) = said(sysctls={"fs.protected_symlink": 1})
    assert unknown.startswith("sysctls.fs.protected_symlink: no such setting is looked at; there are fs.protected_sym")
    assert said(sysctls={"fs.protected_symlinks": 10**22, "fs.protected_fifos": -1}) == [
        "sysctls.fs.protected_symlinks: a number of more than 64 bits is not one of its values: 0 to 1",
        "sysctls.fs.protected_fifos: -1 is not one of its values: 0 to 2",
    ]


def test_a_world_needs_a_name() -> None:
    assert [it.sentence for it in problems(complete(World("")))] == ["a world needs a name"]


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (Node("/run/s", "socket", owner=-1), "owner: -1 is not a uid: 0 to 4294967294"),
        (Node("/run/s", "socket", mode=0o10000), "mode: 0o10000 is not a mode: 0 to 7777"),
        (Node("/run/s", "socket", target="x"), "target: a socket has no target"),
        (Node("/run/l", "symlink", target="x" * 4096), "target: a symlink holds at most 4095 bytes"),
        (Node("/run/l", "symlink", target="a\0b"), "target: a path can't hold a NUL"),
        (Node("/run/l", "symlink", target="\udc80"), "target: the path is not valid Unicode"),
        (Node("/run/f", "file", type="dgram"), "type: a file has no socket type"),
        (Node("/run/f", "file", state="stale"), "state: a file does not listen"),
        (Node("@a", "socket", state="stale"), "state: the name of an abstract socket goes when the socket is closed"),
        (Node("@a", "file"), "path: only a socket can have an abstract name (@...)"),
        (Node("@", "socket"), "path: an abstract name needs something after the @"),
        (Node("@" + "a" * 107, "socket"), "path: an abstract name, with its @, has at most 107 bytes"),
        (Node("/run/f", "file", fs="tmpfs"), "fs: only a mount has a file system, not a file"),
        (Node("/run/f", "file", options=("ro",)), "options: only a mount has options, not a file"),
        (Node("/run/m", "mount"), 'fs: a mount is fs = "tmpfs", fs = "bind" or fs = "fuse"'),
        (Node("/" + "a/" * 2047 + "bb", "file"), "path: a path has at most 4095 bytes"),
        (Node("/run/" + "é" * 128, "file"), "path: a name has at most 255 bytes"),
        (
            Node("/run/l", "symlink", target="x", acl=(AclEntry("user", "alice", 7),)),
            "acl: neither a symlink, a bind or FUSE mount nor an abstract socket has an ACL of its own",
        ),
        (Node("/run/f", "file", acl=(AclEntry("user", "alice", 8),)), "acl: 8 is not a set of permissions: 0 to 7"),
        (Node("/run/s", "socket", type="dgram", state="full"), "state: a dgram socket's queue holds messages"),
        (Node("/run/s", "socket", network="a/b"), "network: 'a/b' can't be a network namespace's name"),
        (Node("/run/f", "file", network="a"), "network: only a socket has a network, not a file"),
        (Node("/run/s", "socket", root="/srv"), "root: '/srv' is not a directory above /run/s"),
        (Node("/run/d", "absent"), "path: /run/d is made by no node before this one, so it is absent anyway"),
        (
            Node("/mnt/m", "mount", fs="tmpfs", options=("allow_other",)),
            "options: 'allow_other' is none of nodev, noexec, nosuid, ro, from=/path",
        ),
    ],
)
def test_nodes_that_nothing_could_make(node: Node, sentence: str) -> None:
    assert any(text.startswith(f"nodes.0.{sentence}") for text in said(node)), said(node)


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (Attempt("alice", "stat", ""), "path: an empty path names nothing"),
        (Attempt("alice", "stat", "/a", to="/b"), "to: only rename has a second path, not stat"),
        (Attempt("alice", "rename", "/a", to="\0"), "to: a path can't hold a NUL"),
        (Attempt("alice", "stat", "/a", mode=0), "mode: stat takes no mode"),
        (Attempt("alice", "chmod", "/a", mode=-1), "mode: -0o1 is not a mode: 0 to 7777"),
        (Attempt("alice", "stat", "/a", type="dgram"), "type: stat has no socket, so it takes no type"),
        (Attempt("alice", "stat", "/a", expect="ENOENT", at=""), "at: an empty path names nothing"),
        (Attempt("alice", "stat", "/a", expect="ENOENT", at="/a\0"), "at: a path can't hold a NUL"),
        (
            Attempt("alice", "stat", "/a", expect="ENOENT", at="somewhere"),
            "at: 'somewhere' is neither an absolute path nor an abstract name (@...)",
        ),
        (Attempt("alice", "stat", "/a", root="srv"), "root: 'srv' is not an absolute path"),
        (
            Attempt("alice", "connect", "@a", network=""),
            "network: '' can't be a network namespace's name (letters, digits, _ . -, at most 32)",
        ),
    ],
)
def test_attempts_that_nobody_could_make(attempt: Attempt, sentence: str) -> None:
    assert said(attempts=(attempt,)) == [f"attempts.0.{sentence}"]


def test_one_abstract_name_is_there_once_for_each_type() -> None:
    pair = (Node("@a", "socket"), Node("@a", "socket", type="dgram"))
    assert said(*pair) == []
    assert said(*pair, Node("@a", "socket")) == ["nodes.2.path: there are two stream sockets named @a"]


def test_a_mount_wants_the_same_kind_on_both_sides_and_no_symlink() -> None:
    socket, link = Node("/run/s", "socket"), Node("/run/l", "symlink", target="s")
    directory = Node("/srv/d", "directory")

    def bind(source: str, path: str) -> Node:
        return Node(path, "mount", fs="bind", options=(f"from={source}",))

    assert said(socket, bind("/run/s", "/srv/new")) == []
    assert said(socket, directory, bind("/run/s", "/srv/d")) == [
        "nodes.2.path: a socket can't be mounted upon a directory"
    ]
    assert said(socket, link, bind("/run/l", "/srv/x")) == ["nodes.2.path: neither end of a mount can be a symlink"]
    assert said(socket, bind("run", "/srv/x")) == ["nodes.1.options: from=run is made by no node before this one"]


def test_a_mount_shows_only_what_the_world_has_made() -> None:
    """A tmpfs in the machine's /usr makes /usr a node's parent, and no source."""

    def bind(source: str) -> Node:
        return Node("/mnt/u", "mount", fs="bind", options=(f"from={source}", "nodev"))

    def refused(index: int, source: str) -> list[str]:
        return [f"nodes.{index}.options: from={source} is made by no node before this one"]

    below_usr = Node("/usr/share/doc", "mount", fs="tmpfs")
    for source in ("/usr", "/usr/share", "/proc", "/dev", "/usr/../usr", "/srv/../usr", "/"):
        assert said(below_usr, bind(source))[:1] == refused(1, source)
    assert said(below_usr, bind("/usr/share/doc")) == []
    link = Node("/srv/link", "symlink", target="/usr")
    assert said(below_usr, link, bind("/srv/link/share"))[:1] == refused(2, "/srv/link/share")
    # Whether a parent is missing, and so made by the world, depends on the place: something may be brought in there.
    assert said(Node("/srv/app/run/s", "socket"), bind("/srv/app"))[:1] == refused(1, "/srv/app")
    assert said(Node("/srv/app", "directory"), Node("/srv/app/run/s", "socket"), bind("/srv/app")) == []
    assert said(Node("/data/run/s", "socket"), bind("/data"))[:1] == refused(1, "/data")
    assert said(Node("/data", "directory"), Node("/data/run/s", "socket"), bind("/data")) == []
    assert said(bind("/home")) == []


def test_what_is_taken_away_can_be_made_anew_and_holds_nothing_any_more() -> None:
    folder, gone = Node("/srv/d", "directory"), Node("/srv/d", "absent")
    shown = Node("/mnt/d", "mount", fs="bind", options=("from=/srv/d",))
    assert said(folder, gone, folder) == []
    assert said(folder, gone, gone)[:1] == [
        "nodes.2.path: /srv/d is made by no node before this one, so it is absent anyway"
    ]
    assert said(folder, shown, gone, folder) == []
    inside = Node("/mnt/d/s", "socket")
    assert said(folder, shown, gone, inside) == [
        "nodes.3.path: /mnt/d has been taken away, so nothing can be made in it"
    ]
    upon = said(folder, shown, gone, Node("/mnt/d", "mount", fs="tmpfs"))
    assert upon[0].startswith("nodes.3.path: /mnt/d shows what has been taken away")
    covered = said(folder, Node("/mnt/d", "directory"), shown, Node("/mnt/d", "absent"))
    assert covered[0].startswith("nodes.3.path: /mnt/d can't be taken away")


def test_only_sockets_are_made_through_a_fuse_mount_and_nothing_is_mounted_near_it() -> None:
    real = Node("/srv/real", "directory")
    fuse = Node("/mnt/m", "mount", fs="fuse", options=("from=/srv/real",))
    assert said(real, fuse, Node("/mnt/m/s", "socket"), Node("/srv/real/f", "file")) == []
    assert said(real, fuse, Node("/mnt/m/f", "file"))[0].startswith("nodes.2.path: /mnt/m is shown by a FUSE mount")
    assert said(real, fuse, Node("/mnt/m/d/s", "socket"))[0].startswith("nodes.2.path: /mnt/m/d is made by no node")
    for mount in (
        Node("/srv/real/t", "mount", fs="tmpfs"),
        Node("/mnt/m", "mount", fs="tmpfs"),
        Node("/srv/x", "mount", fs="bind", options=("from=/mnt/m",)),
    ):
        assert [it.split(":")[0] for it in said(real, fuse, mount)] in (["nodes.2.path"], ["nodes.2.options"]), mount
    assert said(real, Node("/srv/real/t", "mount", fs="tmpfs"), fuse)[0].startswith(
        "nodes.2.options: from=/srv/real holds"
    )


def test_a_directory_stands_in_the_place_of_the_link_that_every_place_has() -> None:
    assert said(Node("/var/run", "directory"), Node("/var/run/s", "socket")) == []
    assert said(Node("/var/run/s", "socket")) == ["nodes.0.path: /var/run is a symlink, so nothing can be made in it"]


def test_a_name_stands_for_one_number_wherever_it_is_asked_for() -> None:
    world = complete(World("w", groups={"web": 7}, users=(ALICE, User("bob", 1001, "web", ("alice",)))))
    assert (world.uid("alice"), world.uid(5), world.gid("web"), world.gid("alice"), world.gid(9)) == (
        1000,
        5,
        7,
        1000,
        9,
    )
    assert World("w").gid("root") == 0
    assert World("w", users=(ALICE,)).gid("alice") == 1000
    for ask in (world.user, world.uid, world.gid):
        with pytest.raises(KeyError, match="the world 'w' has no"):
            ask("nobody")
    assert world.principal("bob").groups == (1000,)
