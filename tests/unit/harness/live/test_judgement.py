"""What is found about a scene, given the scene: no machine is looked at here."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

from harness.live.accounts import Account, FileAccounts
from harness.live.actor import Actor
from harness.live.components import Component
from harness.live.judgement import Judgement, find
from harness.live.process import RunningProcess
from harness.live.scene import Scene
from harness.report.explanation import explain
from harness.report.text import plain
from harness.world import Attempt, Node, Principal, User, World, complete

ALL = (range(2**32),)
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
