"""What is made of a decision's changes for who reads them on another side."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.live.accounts import Account, FileAccounts
from harness.live.actor import Actor
from harness.live.advice import after_login, lacking, renewals
from harness.live.components import Component
from harness.live.judgement import find
from harness.live.process import RunningProcess
from harness.live.scene import Scene
from harness.world import Attempt, Confinement, Node, Principal, User, World, complete

if TYPE_CHECKING:
    import pytest

NO_PROCESS = 2**22 + 7
ALL = (range(2**32),)
ACCOUNTS = FileAccounts((Account("ali", 1000, 1000, (999,)),), {"docker": 999})
FOREIGN = f"/proc/{NO_PROCESS}/root"


def asker(root: str = "/", container: str | None = None, groups: tuple[int, ...] = ()) -> Actor:
    principal = Principal(1000, 1000, groups)
    running = RunningProcess(NO_PROCESS, "app", principal, root, ALL, ALL)
    return Actor("ali", principal, ACCOUNTS, ACCOUNTS.user(1000), running, container=container)


def closed(*, lists: bool = True, group: int = 7) -> Scene:
    """A directory 0710 of root's and a group's."""
    node = Node("/srv/d", "directory", 0, group, 0o710)
    world = World("w", groups={"seven": 7, "docker": 999}, users=(User("root", 0, 0), User("ali", 1000, 1000)))
    status = os.stat_result((0o40710, 2, 1, 2, 0, group, 0, 0, 0, 0))
    seen = {"/srv/d": Component("/srv/d", "directory", status, () if lists else None, None)}
    world = complete(replace(world, nodes=(node, Node("/srv/d/s", "socket", mode=0o666))))
    return Scene(world, Attempt("ali", "connect", "/srv/d/s"), None, None, (), frozenset(), components=seen)


def texts(actor: Actor, scene: Scene) -> list[str]:
    return [change.text for change in find(actor, scene).advice.changes]


def test_here_a_fix_has_names() -> None:
    assert texts(asker(), closed())[:2] == [
        "usermod -aG seven ali  # and start it again with its groups: runuser -u ali -- COMMAND",
        "setfacl -m u:ali:x /srv/d",
    ]


def test_for_another_root_a_fix_has_numbers_and_a_path_of_this_side() -> None:
    assert texts(asker(FOREIGN), closed())[:2] == [
        "setpriv --reuid 1000 --regid 1000 --groups 7 COMMAND",
        f"setfacl -m u:1000:x {FOREIGN}/srv/d",
    ]


def test_a_container_gets_groups_when_it_is_started() -> None:
    assert texts(asker(FOREIGN, "web"), closed())[0] == "start the container again with --group-add 7"


def test_a_group_that_is_as_good_as_root_is_called_so() -> None:
    unnamed = replace(asker(), database=None)
    assert texts(unnamed, closed(group=999))[0] == (
        "setpriv --reuid 1000 --regid 1000 --groups 999 COMMAND  # members of docker are as good as root (dockerd)"
    )


def test_nobody_is_told_to_join_a_group_that_has_no_name_here() -> None:
    nameless = replace(closed(group=12345), world=replace(closed(group=12345).world, groups={"gid-12345": 12345}))
    assert not any("usermod" in text for text in texts(asker(), nameless))
    without = replace(asker(), database=None)
    assert texts(without, nameless)[0] == "setpriv --reuid 1000 --regid 1000 --groups 12345 COMMAND"


def test_a_filter_that_is_to_go_is_told_of_behind_the_commands() -> None:
    held = Confinement((("connect", "EACCES"),))
    filtered = closed().with_subject(lambda user: replace(user, confined=held))
    for text in texts(asker(), filtered):
        commands, _, words = text.partition("  # ")
        assert "without that filter" not in commands
        assert "run ali without that filter, or let it allow the call" in words
    assert texts(asker(), filtered)[0].startswith("usermod -aG seven ali  # and start it again with its groups: ")


def test_no_list_is_proposed_where_the_file_system_keeps_none() -> None:
    assert not any("setfacl" in text for text in texts(asker(), closed(lists=False)))
    assert any("chmod" in text for text in texts(asker(), closed(lists=False)))


def test_what_gives_a_process_its_groups_depends_on_what_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    old = asker()
    fresh = after_login(old)
    assert fresh is not None
    assert fresh == (999, 1000)
    assert lacking(old, fresh) == ("docker (999)",)
    assert renewals(old, fresh)[0].startswith("runuser -u ali -- COMMAND")
    said = ("log in again, or restart it: with the group docker (999) the answer is ok",)
    assert renewals(asker(FOREIGN), fresh) == said
    for effective, real, told in (
        (33, 33, said[0]),
        (1000, 1000, "sg docker -c COMMAND  # with the group docker (999) "),
    ):
        with monkeypatch.context() as ordinary:
            ordinary.setattr("os.geteuid", lambda effective=effective: effective)
            ordinary.setattr("os.getuid", lambda real=real: real)
            assert renewals(old, fresh)[0].startswith(told)
    monkeypatch.setattr("harness.live.advice.in_login", lambda _: True)
    assert renewals(old, fresh) == ("log in again, or restart it: with the group docker (999) the answer is ok",)
    monkeypatch.setattr("harness.live.advice.unit_of", lambda _: "app.service")
    assert renewals(old, fresh)[0].startswith("systemctl restart app.service")
    assert after_login(asker(groups=(999,))) is None
    assert after_login(replace(old, entering=True)) is None
