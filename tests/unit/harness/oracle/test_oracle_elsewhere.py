"""Where who asks stands, what is shown by FUSE, what was replaced, and what is full: decided from data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.oracle import decide, linux, xnu
from harness.world import Attempt, Node, User, World, complete, problems

if TYPE_CHECKING:
    from harness.oracle import Decision, Rules

USERS = (User("ali", 1000, 1000), User("bob", 1001, 1001))


def decided(
    nodes: tuple[Node, ...], path: str, user: str = "ali", rules: Rules | None = None, **more: str | None
) -> Decision:
    """What becomes of a connection (or of another operation)."""
    attempt = Attempt(user, **{"operation": "connect", "path": path, **more})  # type: ignore[arg-type]
    world = complete(World("w", users=USERS, nodes=nodes, attempts=(attempt,)))
    assert not list(problems(world))
    return decide(world, attempt, rules or linux())


def socket(path: str, **more: str) -> Node:
    return Node(path, "socket", mode=0o666, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("rules", "outcome"), [(linux(), "EAGAIN"), (xnu(), "ECONNREFUSED")], ids=["linux", "xnu"])
def test_a_full_queue_is_told_after_the_permissions(rules: Rules, outcome: str) -> None:
    assert decided((socket("/run/s", state="full"),), "/run/s", rules=rules).outcome == outcome
    closed = Node("/run/s", "socket", mode=0o600, state="full")
    assert decided((closed,), "/run/s", rules=rules).outcome == "EACCES"


def test_an_abstract_name_is_known_in_its_own_network_namespace() -> None:
    nodes = (socket("@s", network="other"),)
    refused = decided(nodes, "@s")
    assert (refused.outcome, refused.changes[0].text) == ("ECONNREFUSED", "nsenter --net=/run/netns/other COMMAND")
    assert decided(nodes, "@s", network="other").outcome == "ok"
    assert decided((socket("/run/s", network="other"),), "/run/s").outcome == "ok"


def test_a_path_begins_at_the_root_directory_of_who_asks_and_dots_do_not_lead_out() -> None:
    nodes = (socket("/srv/jail/run/s"), Node("/srv/jail/run/link", "symlink", target="/run/s"), socket("/run/t"))
    for path in ("/run/s", "/../../run/s", "/run/link"):
        assert decided(nodes, path, root="/srv/jail").outcome == "ok"
    outside = decided(nodes, "/run/t", root="/srv/jail")
    assert (outside.outcome, outside.at) == ("ENOENT", "/srv/jail/run/t")
    assert decided(nodes, "s", root="/srv/jail", cwd="/run").outcome == "ok"


def test_a_mounted_file_that_was_replaced_leads_to_nobody_until_it_is_mounted_again() -> None:
    mount = Node("/srv/s", "mount", fs="bind", options=("from=/run/s",))
    gone = Node("/run/s", "absent")
    refused = decided((socket("/run/s", state="stale"), mount, gone, socket("/run/s")), "/srv/s")
    assert (refused.outcome, refused.changes[0].what) == ("ECONNREFUSED", "mount")
    assert "deleted or replaced" in refused.why
    assert decided((socket("/run/s"), mount, gone), "/srv/s").outcome == "ok"  # its server lives, and has this one


def test_nothing_can_be_made_in_a_directory_that_was_deleted() -> None:
    mount = Node("/mnt/p", "mount", fs="bind", options=("from=/srv/p",))
    nodes = (Node("/srv/p", "directory", mode=0o777), mount, Node("/srv/p", "absent"))
    refused = decided(nodes, "/mnt/p/s", operation="bind")
    assert (refused.outcome, refused.at) == ("ENOENT", "/mnt/p")


def fuse(*options: str) -> tuple[Node, ...]:
    """A directory of root's, shown by a mount of bob's."""
    shown = Node("/mnt/m", "mount", "bob", "bob", fs="fuse", options=("from=/srv/real", *options))
    return (Node("/srv/real", "directory", mode=0o777), socket("/srv/real/old"), shown, socket("/mnt/m/s"))


@pytest.mark.parametrize("user", ["ali", "root"])
def test_a_fuse_mount_lets_in_who_mounted_it_and_not_even_root(user: str) -> None:
    refused = decided(fuse(), "/mnt/m/s", user)
    assert (refused.outcome, refused.at) == ("EACCES", "/mnt/m")
    assert "allow_other" in refused.changes[0].text
    assert decided(fuse(), "/mnt/m/s", "bob").outcome == "ok"
    assert decided(fuse("allow_other"), "/mnt/m/s", user).outcome == "ok"


def test_a_socket_is_reached_by_the_way_on_which_it_was_bound() -> None:
    through = decided(fuse("allow_other"), "/mnt/m/old")
    assert (through.outcome, through.changes[0].text) == ("ECONNREFUSED", "connect to /srv/real/old")
    assert decided(fuse("allow_other"), "/srv/real/old").outcome == "ok"
    assert decided(fuse("allow_other"), "/srv/real/s").outcome == "ECONNREFUSED"
