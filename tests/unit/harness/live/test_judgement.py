"""What is found about a scene, given the scene: no machine is looked at here."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import pytest

from harness.live import landlock, layers
from harness.live.accounts import Account, FileAccounts
from harness.live.actor import Actor
from harness.live.components import Component
from harness.live.judgement import Judgement, find
from harness.live.obstacle import Obstacle
from harness.live.process import RunningProcess
from harness.live.scene import Scene
from harness.oracle import Change
from harness.report.explanation import explain
from harness.report.text import plain
from harness.world import AclEntry, Attempt, Node, Principal, User, World, complete

ALL = (range(2**32),)


@pytest.fixture(autouse=True)
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without security modules, whatever the machine has."""
    monkeypatch.setattr(layers, "active_modules", frozenset)
    monkeypatch.setattr(landlock, "landlock_abi", lambda: 0)


ACCOUNTS = FileAccounts((Account("ali", 1000, 1000, (999,)),), {"docker": 999})


def scene(*nodes: Node, user: User, path: str = "/run/s", hidden: str | None = None, unmapped: str = "") -> Scene:
    world = complete(World("w", users=(User("root", 0, 0), *([user] if user.uid else [])), nodes=nodes))
    return Scene(world, Attempt(user.name, "connect", path), hidden, None, (), frozenset(unmapped.split()))


NO_PROCESS = 2**22 + 7
"""No process has a pid above PID_MAX_LIMIT."""


def actor(user: User, *, groups: tuple[int, ...] = (), database: Account | None = None) -> Actor:
    principal = Principal(user.uid, 0 if user.uid == 0 else 1000, groups, user.capabilities)
    running = RunningProcess(NO_PROCESS, "app", principal, "/", ALL, ALL)
    return Actor(user.name, principal, ACCOUNTS, database, running)


def judged(scene: Scene, user: User) -> Judgement:
    return find(actor(user), scene)


ALI = User("ali", 1000, 1000)
ROOT = User("root", 0, 0)
SOCKET = Node("/run/s", "socket", 1000, 1000, 0o600)


def test_what_may_not_be_looked_at_is_not_claimed_to_be_missing() -> None:
    judgement = judged(scene(Node("/run", "directory"), user=ALI, hidden="/run/s"), ALI)
    assert not judgement.conclusive
    assert not judgement.allowed


def test_a_refusal_before_what_is_hidden_is_conclusive() -> None:
    judgement = judged(scene(Node("/run", "directory", mode=0o700), user=ALI, hidden="/run/s"), ALI)
    assert judgement.conclusive
    assert judgement.decision.at == "/run"


def test_a_root_directory_that_others_may_not_search_refuses_all_that_is_below() -> None:
    numbers = (stat.S_IFDIR | 0o700, 2, 1, 2, 0, 0, 4096, 0, 0, 0)
    root = Component("/", "directory", os.stat_result(numbers), (), None)
    closed = replace(scene(SOCKET, user=ALI), root=root)
    judgement = judged(closed, ALI)
    assert (judgement.decision.outcome, judgement.decision.at) == ("EACCES", "/")
    assert "ali lacks x on /. " in judgement.decision.why
    text = plain(explain(actor(ALI), closed, judgement))
    assert "ali lacks x on /. " in text


def test_capabilities_count_for_what_is_mapped_and_for_nothing_else() -> None:
    closed = Node("/run", "directory", 1000, 1000, 0o700)
    assert judged(scene(closed, SOCKET, user=ROOT), ROOT).decision.outcome == "ok"
    below = judged(scene(closed, SOCKET, user=ROOT, unmapped="/run/s"), ROOT)
    assert (below.decision.outcome, below.decision.at) == ("EACCES", "/run/s")
    above = judged(scene(closed, SOCKET, user=ROOT, unmapped="/run"), ROOT)
    assert (above.decision.outcome, above.decision.at) == ("EACCES", "/run")
    assert any("has no number in root's user namespace" in note for note in above.notes)


def test_an_unmapped_thing_that_is_open_to_all_refuses_nobody() -> None:
    opened = Node("/run/s", "socket", 65534, 65534, 0o666)
    assert judged(scene(opened, user=ROOT, unmapped="/run/s"), ROOT).decision.outcome == "ok"


def test_old_groups_are_told_only_where_a_login_would_give_more() -> None:
    socket = Node("/run/s", "socket", "root", 999, 0o660)
    database = Account("ali", 1000, 1000, (999,))
    old = find(actor(ALI, database=database), scene(socket, user=ALI))
    assert old.remedies == ("runuser -u ali -- COMMAND  # with the group docker (999) the answer is ok",)
    lacking = "does not have all the groups that the user database gives ali: docker (999)"
    assert old.notes[0] == f"process {NO_PROCESS} (app) {lacking}"
    member = User("ali", 1000, 1000, (999,))
    new = find(actor(member, groups=(999,), database=database), scene(socket, user=member))
    assert (new.remedies, new.notes, new.allowed) == ((), (), True)


def test_old_groups_that_would_change_nothing_are_no_remedy() -> None:
    socket = Node("/run/s", "socket", "root", 998, 0o660)
    judgement = find(actor(ALI, database=Account("ali", 1000, 1000, (999,))), scene(socket, user=ALI))
    assert judgement.remedies == ()
    assert len(judgement.notes) == 1


def test_a_uid_without_a_name_is_not_told_to_join_a_group_by_name() -> None:
    nobody = User("uid-5000", 5000, 5000)
    socket = Node("/run/s", "socket", "root", 999, 0o660)
    here = scene(socket, user=nobody)
    here = replace(here, world=replace(here.world, groups={**here.world.groups, "gid-999": 999}))
    text = plain(explain(actor(nobody), here, judged(here, nobody)))
    assert "usermod" not in text
    assert "setpriv --reuid 5000 --regid 1000 --groups 999 COMMAND" in text.partition("  fix ")[2]
    assert "setfacl -m u:5000:w /run/s" in text


def test_where_the_kernel_did_not_say_who_listens_only_a_refusal_by_permission_is_known() -> None:
    nobody_knows = "whether anybody listens at /run/s is not known: the kernel did not say"
    opened = replace(scene(Node("/run/s", "socket", mode=0o666), user=ALI), unknown=nobody_knows)
    judgement = judged(opened, ALI)
    assert (judgement.conclusive, judgement.allowed, judgement.notes[-1]) == (False, False, nobody_knows)
    text = plain(explain(actor(ALI), opened, judgement))
    assert "connect /run/s: not known at /run/s\n" in text
    assert "  why " not in text
    closed = replace(scene(Node("/run/s", "socket", mode=0o600), user=ALI), unknown=nobody_knows)
    refused = judged(closed, ALI)
    assert (refused.conclusive, refused.decision.outcome, refused.notes) == (True, "EACCES", ())


def obstructed(*obstacles: Obstacle, mode: int = 0o666, directory: int = 0o755) -> Scene:
    """A socket in a directory that is a mount, with what may refuse beside permission bits."""
    nodes = (Node("/mnt", "directory", mode=directory), Node("/mnt/s", "socket", mode=mode))
    way = ("/", "/mnt", "/mnt/s")
    return replace(scene(*nodes, user=ALI, path="/mnt/s"), way=way, obstacles=obstacles)


ENTRY = Obstacle("/mnt", "EACCES", "a mount lets in nobody", (Change("elsewhere", None, "mount it again", 0),))
QUEUE = Obstacle("/mnt/s", "EAGAIN", "the queue is full", (Change("elsewhere", None, "wait", 0),), last=True)
NOBODY_KNOWS = Obstacle("/mnt", None, "its server decides, so that is not known")


def test_what_a_mount_refuses_comes_before_the_permissions_of_its_own_root_and_after_those_above() -> None:
    assert judged(obstructed(ENTRY, directory=0o700), ALI).decision.why == "a mount lets in nobody."
    above = obstructed(replace(ENTRY, at="/mnt/s"), directory=0o700)
    assert judged(above, ALI).decision.why.startswith("ali lacks x on /mnt. ")


def test_a_full_queue_counts_only_for_whom_nothing_else_refuses() -> None:
    assert judged(obstructed(QUEUE), ALI).decision.outcome == "EAGAIN"
    refused = judged(obstructed(QUEUE, mode=0o600), ALI)
    assert refused.decision.outcome == "EACCES"
    assert "behind that, EAGAIN at /mnt/s: the queue is full." in refused.notes
    assert refused.advice.changes[0].text == "setfacl -m u:ali:w /mnt/s  # and wait"


def test_what_is_behind_one_obstacle_is_told_with_it() -> None:
    judgement = judged(obstructed(ENTRY, QUEUE), ALI)
    assert judgement.decision.at == "/mnt"
    assert judgement.notes[0].startswith("behind that, EAGAIN")


def test_what_nobody_knows_is_not_claimed_and_not_drawn_as_a_refusal() -> None:
    here = obstructed(NOBODY_KNOWS)
    judgement = judged(here, ALI)
    assert (judgement.conclusive, judgement.allowed) == (False, False)
    assert judgement.notes == ("its server decides, so that is not known",)
    text = plain(explain(actor(ALI), here, judgement))
    assert "not known at /mnt/s" in text
    assert "<-" not in text


def test_modes_that_are_not_the_kernels_refuse_nobody() -> None:
    closed = obstructed(mode=0o600, directory=0o700)
    assert judged(closed, ALI).decision.outcome == "EACCES"
    free = judged(replace(closed, modeless=frozenset({"/mnt", "/mnt/s"}), titles={"/mnt": "fuse.sshfs"}), ALI)
    assert free.allowed
    assert not free.tellable
    assert free.notes == (
        "the modes below /mnt are not the kernel's: its server is asked instead, and sshfs's does not heed who asks",
    )


def test_whom_a_change_lets_in_too_is_told_by_name() -> None:
    acl = (AclEntry("user", 1001, 6), AclEntry("mask", None, 0))
    bob = User("bob", 1001, 1001)
    masked = scene(Node("/run/s", "socket", mode=0o700, acl=acl), user=ALI)
    masked = replace(masked, world=complete(replace(masked.world, users=(*masked.world.users, bob))))
    text = plain(explain(actor(ALI), masked, judged(masked, ALI)))
    assert "  fix    setfacl -m u:ali:w /run/s  (lets in bob too)\n" in text
    assert "  or     chmod o+w /run/s  (lets in everybody too)\n" in text


def test_a_path_that_was_not_looked_up_is_not_made_by_anybody() -> None:
    long = "/run/" + "x" * 200
    here = scene(Node("/run", "directory"), user=ALI, path=long)
    text = plain(explain(actor(ALI), here, judged(here, ALI)))
    assert "(not looked up)  <- EINVAL" in text
    assert "earlier attempt" not in text
