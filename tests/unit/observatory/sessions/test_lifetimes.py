"""A session's process is found by the hook's ancestors, and its end is what the kernel says."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections import Counter

import pytest

from observatory.identity import PeerCredentials, Unavailable, peer_credentials
from observatory.identity.sender import CAN_HOLD
from observatory.sessions import lifetimes
from observatory.sessions.lifetimes import AT_ONCE, LATE, SESSIONS_A_USER, Ended
from tests.helpers.descriptors import none_left_open
from tests.helpers.presence import present
from tests.helpers.session_processes import HOOK, Loop, session

linux = pytest.mark.skipif(sys.platform != "linux", reason="pidfds and /proc are Linux's")
pytestmark = pytest.mark.skipif(
    not CAN_HOLD, reason="needs pidfd_open(2) of Linux 5.3, or kqueue(2) of macOS or FreeBSD"
)


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_death_of_a_sessions_process_is_reported_once_and_names_it(loop: Loop, shell: str) -> None:
    with session(loop, shell) as process:
        peer = process.hook("SessionStart", "s")
        loop.turn()
        assert loop.ended == [], "it lives"
        process.process.send_signal(signal.SIGKILL)
        loop.turn(10)
    assert loop.ended == [Ended("s", process.pid, os.geteuid(), peer)]
    assert loop.callbacks == {}


def test_a_session_that_says_that_it_ends_does_not_die(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        process.hook("SessionEnd", "s")
    loop.turn()
    assert loop.ended == []


def test_the_first_event_of_a_session_says_which_process_sent_it_and_whose_child_that_is(loop: Loop) -> None:
    with session(loop, "sh") as process:
        peer = process.hook("SessionStart", "s")
        first = present(loop.introduced)
        assert first.process.pid == peer.pid
        assert first.process.comm.startswith("python")
        comms = [each.comm for each in first.ancestors]
        pids = [each.pid for each in first.ancestors]
        assert pids[pids.index(process.pid) + 1] == os.getpid()
        assert set(comms[: pids.index(process.pid)]) <= lifetimes.SHELLS
        process.hook("PreToolUse", "s")
        assert loop.introduced is None, "once a session is enough"
        process.hook("SessionEnd", "s")
        process.hook("PreToolUse", "s")
        assert loop.introduced is None, "it is over"
        process.hook("SessionStart", "s")
        assert present(loop.introduced).process.pid != peer.pid, "it goes on"


def test_a_session_whose_first_event_could_not_be_stored_is_introduced_by_the_next(loop: Loop) -> None:
    with session(loop) as process:
        loop.full = True
        process.hook("SessionStart", "s")
        assert loop.callbacks == {}
        loop.full = False
        process.hook("PreToolUse", "s")
        assert loop.introduced is not None
        loop.full = True
        process.hook("SessionEnd", "s")
        assert len(loop.callbacks) == 1, "it has not ended for those who read the events"
    loop.turn(10)
    assert [ended.session for ended in loop.ended] == ["s"]


def test_a_session_that_ends_and_goes_on_in_one_turn_is_introduced_by_its_next_event(loop: Loop) -> None:
    with session(loop) as process:
        peer = process.hook("SessionStart", "s")
        loop.lifetimes.stored(peer, "SessionEnd", "s")
        loop.lifetimes.stored(peer, "SessionStart", "s")
        process.hook("PreToolUse", "s")
        assert loop.introduced is not None


def test_two_sessions_of_one_process_both_die_with_it(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "one")
        process.hook("SessionStart", "two")
    while len(loop.ended) < 2:
        loop.turn(10)
    assert sorted(ended.session for ended in loop.ended) == ["one", "two"]


def test_a_hook_that_outlives_its_session_does_not_revive_it(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        process.run(f'{{ {sys.executable} -c "{HOOK}" {loop.path} || true; }}')
        connection, _ = loop.listener.accept()
    with connection:
        loop.turn(10)
        assert len(loop.ended) == 1
        # Its shell is now a child of whoever collects orphans, who lives on.
        assert loop.lifetimes.introduce(connection, peer_credentials(connection), "PreToolUse", "s") is None
        assert loop.callbacks == {}
        connection.sendall(b"x")


def test_a_session_that_is_resumed_can_die_again(loop: Loop) -> None:
    for _ in range(2):
        with session(loop) as process:
            process.hook("SessionStart", "s")
        loop.turn(10)
    assert [ended.session for ended in loop.ended] == ["s", "s"]
    assert loop.ended[0].pid != loop.ended[1].pid


def test_events_without_a_session_open_nothing(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("Stop", None)
        assert loop.callbacks == {}


def test_a_user_with_many_sessions_has_the_latest_watched(loop: Loop) -> None:
    with session(loop) as process:
        process.run(f'{{ {sys.executable} -c "{HOOK}" {loop.path} || true; }}')
        connection, _ = loop.listener.accept()
        with connection:
            peer = peer_credentials(connection)
            for number in range(SESSIONS_A_USER + 3):
                loop.lifetimes.introduce(connection, peer, "SessionStart", str(number))
            assert len(loop.callbacks) == SESSIONS_A_USER
            connection.sendall(b"x")
        process.kill()
        while len(loop.ended) < SESSIONS_A_USER:
            loop.turn(10)
    assert {ended.session for ended in loop.ended} == {str(number) for number in range(3, SESSIONS_A_USER + 3)}


def test_sessions_take_no_more_than_a_part_of_the_descriptors(loop: Loop) -> None:
    loop.lifetimes._room = 2
    with session(loop) as process:
        for name in ("one", "two", "three"):
            process.hook("SessionStart", name)
        assert len(loop.callbacks) == 2
        process.hook("SessionEnd", "one")
        process.hook("SessionStart", "three")
        assert len(loop.callbacks) == 2


def ends(loop: Loop, uid: int, *sessions: str) -> None:
    for name in sessions:
        loop.lifetimes.stored(PeerCredentials(1, uid, uid, ()), "SessionEnd", name)


def remembered(loop: Loop) -> int:
    return sum(len(user.held) + len(user.over) for user in loop.lifetimes._users.values())


def test_one_user_s_ended_sessions_are_remembered_up_to_a_number_under_whatever_uid(loop: Loop) -> None:
    for uid in range(100_000, 100_010):
        ends(loop, uid, *map(str, range(50)))
    assert remembered(loop) == SESSIONS_A_USER
    ends(loop, 1500, "s")
    assert remembered(loop) == SESSIONS_A_USER + 1


def test_what_is_remembered_of_ended_sessions_is_given_back(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    for uid in range(1000, 1150):
        ends(loop, uid, *map(str, range(20)))
    assert remembered(loop) == 150 * 20
    later = time.monotonic() + LATE + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    for number in range(150):
        ends(loop, 1500, str(number))
    assert remembered(loop) == 150
    assert list(loop.lifetimes._users) == [1500]


def test_a_hook_that_is_late_opens_nothing_and_after_a_while_is_another_session_s(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        process.hook("SessionEnd", "s")
        process.hook("Stop", "s")
        assert loop.callbacks == {}
        later = time.monotonic() + LATE + 1
        monkeypatch.setattr(time, "monotonic", lambda: later)
        process.hook("Stop", "s")
        assert len(loop.callbacks) == 1


def test_nobody_can_make_the_server_look_all_day(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetimes, "INTERVAL", 3600)
    looks: Counter[int | None] = Counter()

    def look(_sock: socket.socket, peer: PeerCredentials, _wanted: object) -> tuple[None, None]:
        looks[peer.uid] += 1
        return None, None

    monkeypatch.setattr(lifetimes, "sender", look)
    a, b = socket.socketpair()
    with a, b:
        for number in range(100):
            for uid in (7, 8):
                loop.lifetimes.introduce(a, PeerCredentials(1, uid, 7, ()), "Stop", str(number))
    assert looks == {7: AT_ONCE + 1, 8: AT_ONCE + 1}


@linux
def test_a_kernel_without_a_handle_of_the_peer_is_served_by_the_pid(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observatory.identity.sender.peer_pidfd", lambda sock: Unavailable.OPTION)
    with session(loop) as process:
        process.hook("SessionStart", "s")
        assert loop.introduced is None, "nothing proves that the pid is the sender's"
    loop.turn(10)
    assert [ended.pid for ended in loop.ended] == [process.pid]


@linux
@pytest.mark.parametrize("unavailable", [Unavailable.REAPED, Unavailable.PEER])
def test_a_peer_of_which_nothing_is_known_is_not_watched(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, unavailable: Unavailable
) -> None:
    monkeypatch.setattr("observatory.identity.sender.peer_pidfd", lambda sock: unavailable)
    with session(loop) as process:
        process.hook("SessionStart", "s")
        assert loop.callbacks == {}


@linux
def test_where_proc_has_other_numbers_than_the_kernel_gives_nothing_is_said(loop: Loop) -> None:
    """As in a pid namespace of its own below a /proc that shows the outer one: the pid of a peer outside is unknown."""
    a, b = socket.socketpair()
    with a, b, none_left_open():
        peer = PeerCredentials(None, os.geteuid(), os.getegid(), ())
        assert loop.lifetimes.introduce(a, peer, "SessionStart", "s") is None
    assert loop.callbacks == {}


def test_no_descriptor_is_left_behind(loop: Loop) -> None:
    with none_left_open():
        for _ in range(3):
            with session(loop) as process:
                process.hook("SessionStart", "s")
                process.hook("Stop", "s")
            loop.turn(10)


def test_the_event_says_whose_session_it_was_in_fields_that_no_client_can_send() -> None:
    now = time.time_ns() // 1000
    ended = Ended('s"\u00e9', 42, 1000, PeerCredentials(99, 1000, 1001, (5, 6)))
    event = ended.event(7, now, "2026-01-01T00:00:00Z")
    assert (event.id, event.time, event.name, event.uid, event.session) == (7, now, "SessionDead", 1000, 's"\u00e9')
    assert json.loads(event.line) == {
        "_id": 7,
        "_ts": "2026-01-01T00:00:00Z",
        "_event": "SessionDead",
        "_peer_pid": 42,
        "_peer_uid": 1000,
        "_peer_gid": 1001,
        "_peer_groups": [5, 6],
        "_session_pid": 42,
        "_session_uid": 1000,
        "session_id": 's"\u00e9',
        "hook_event_name": "SessionDead",
    }


@pytest.mark.parametrize("owner", [0, None])
def test_a_process_of_another_user_is_not_named_as_if_it_were_the_hook_s(owner: int | None) -> None:
    event = Ended("s", 42, owner, PeerCredentials(99, 1000, 1001, None)).event(7, 0, "2026-01-01T00:00:00Z")
    said = json.loads(event.line)
    assert (said["_peer_pid"], said["_peer_uid"]) == (None, 1000)
    assert (said["_session_pid"], said["_session_uid"]) == (42, owner)
    assert event.uid == 1000


def test_a_prompt_after_the_end_is_of_another_process_which_is_watched(loop: Loop) -> None:
    with session(loop) as process:
        process.hook("SessionStart", "s")
        process.hook("SessionEnd", "s")
        assert loop.callbacks == {}
        process.hook("UserPromptSubmit", "s")
        assert len(loop.callbacks) == 1
        process.process.send_signal(signal.SIGKILL)
        loop.turn(10)
    assert [ended.session for ended in loop.ended] == ["s"]


def test_a_session_of_two_processes_ends_with_the_last(loop: Loop) -> None:
    with session(loop) as terminal, session(loop) as script:
        terminal.hook("SessionStart", "s")
        script.hook("SessionStart", "s")
        assert present(loop.introduced).process.pid != terminal.pid, "the second says who it is too"
        assert len(loop.callbacks) == 2
        script.hook("SessionEnd", "s")
        assert loop.others == [terminal.pid]
        script.kill()
        loop.turn()
        assert (loop.ended, len(loop.callbacks)) == ([], 1)
        terminal.hook("PreToolUse", "s")
        assert loop.introduced is None, "it is known"
    loop.turn(10)
    assert [(ended.session, ended.pid) for ended in loop.ended] == [("s", terminal.pid)]


def test_a_process_of_two_that_is_killed_ends_nothing(loop: Loop) -> None:
    with session(loop) as terminal:
        terminal.hook("SessionStart", "s")
        with session(loop) as script:
            script.hook("UserPromptSubmit", "s")
        loop.turn(10)
        assert (loop.ended, len(loop.callbacks)) == ([], 1)
        terminal.hook("SessionEnd", "s")
        assert loop.others == []
        assert loop.callbacks == {}


def test_two_ends_in_one_turn_are_the_end(loop: Loop) -> None:
    with session(loop) as terminal, session(loop) as script:
        for process in (terminal, script):
            process.hook("SessionStart", "s")
        loop.keep = True
        terminal.hook("SessionEnd", "s")
        assert loop.others == [script.pid]
        script.hook("SessionEnd", "s")
        assert loop.others == []


def test_the_end_of_a_process_that_could_not_be_stored_is_none(loop: Loop) -> None:
    with session(loop) as terminal, session(loop) as script:
        for process in (terminal, script):
            process.hook("SessionStart", "s")
        loop.full = True
        script.hook("SessionEnd", "s")
        assert len(loop.callbacks) == 2
        loop.full = False
        terminal.hook("SessionEnd", "s")
        assert loop.others == [script.pid]


def test_of_a_session_of_many_processes_so_many_are_watched(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetimes, "PROCESSES", 1)
    with session(loop) as first, session(loop) as second:
        for process in (first, second):
            process.hook("SessionStart", "s")
        assert len(loop.callbacks) == 1


def test_what_is_remembered_of_two_processes_is_one_that_lives(loop: Loop) -> None:
    with session(loop) as terminal:
        terminal.hook("SessionStart", "s")
        with session(loop) as script:
            script.hook("SessionStart", "s")
            script.hook("SessionEnd", "s")
        loop.restart()
        assert len(loop.callbacks) == 1
    loop.turn(10)
    assert [ended.pid for ended in loop.ended] == [terminal.pid]
