"""A server that starts again goes on watching the sessions that outlived the one before."""

from __future__ import annotations

import json
import os
import signal

import pytest

from observatory.identity import PeerCredentials
from observatory.identity.sender import CAN_HOLD
from observatory.sessions import lifetimes
from observatory.sessions.lifetimes import Ended
from observatory.sessions.memory import Where
from tests.helpers.session_processes import Loop, session

pytestmark = pytest.mark.skipif(
    not CAN_HOLD, reason="needs pidfd_open(2) of Linux 5.3, or kqueue(2) of macOS or FreeBSD"
)


def test_a_server_that_starts_again_goes_on_watching(loop: Loop) -> None:
    with session(loop) as process:
        peer = process.hook("SessionStart", "s")
        loop.restart()
        loop.turn()
        assert loop.ended == []
        process.process.send_signal(signal.SIGKILL)
        loop.turn(10)
    assert loop.ended == [Ended("s", process.pid, os.geteuid(), PeerCredentials(None, peer.uid, peer.gid, peer.groups))]
    loop.restart()
    assert len(loop.ended) == 1, "it was reported already"


def test_a_session_that_died_while_no_server_ran_is_reported_by_the_next(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        process.hook("SessionStart", "ended")
        process.hook("SessionEnd", "ended")
        loop.lifetimes.close()
    loop.lifetimes = loop.begin()
    assert [(ended.session, ended.pid) for ended in loop.ended] == [("s", process.pid)]
    loop.restart()
    assert len(loop.ended) == 1


def test_a_pid_that_another_process_has_taken_is_not_the_session(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        loop.lifetimes.close()
        line = json.loads(loop.memory.read_text())
        loop.memory.write_text(json.dumps(line | {"started": line["started"] - 1}) + "\n")
        loop.lifetimes = loop.begin()
        assert [ended.session for ended in loop.ended] == ["s"]
        assert loop.callbacks == {}


@pytest.mark.parametrize(
    ("where", "ended"),
    [(Where("another boot", "pid:[1]"), ["s"]), (Where("this boot", "pid:[2]"), [])],
    ids=["after a reboot", "in another pid namespace"],
)
def test_a_pid_means_something_in_one_boot_and_one_namespace(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, where: Where, ended: list[str]
) -> None:
    monkeypatch.setattr(lifetimes, "here", lambda: Where("this boot", "pid:[1]"))
    loop.restart()
    with session(loop) as process:
        process.hook("SessionStart", "s")
        monkeypatch.setattr(lifetimes, "here", lambda: where)
        loop.restart()
        assert [found.session for found in loop.ended] == ended
        assert loop.callbacks == {}


def test_a_session_that_was_forgotten_for_a_newer_one_is_not_remembered(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifetimes, "SESSIONS_A_USER", 1)
    with session(loop) as process:
        process.hook("SessionStart", "old")
        process.hook("SessionStart", "new")
        loop.lifetimes.close()
    loop.lifetimes = loop.begin()
    assert [ended.session for ended in loop.ended] == ["new"]
