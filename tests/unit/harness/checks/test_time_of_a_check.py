"""A check says what it had no time for, and calls nothing held that it did not try."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks import lifetime, squatting, takeover_foreign
from harness.checks.check import Finding, broken, held
from harness.checks.runner import attack
from harness.subjects.command import CommandSubject
from harness.testbed.cast import cast
from harness.testbed.testbed import CHECK, Testbed

SERVER = CommandSubject(name="s", about="a server", command=("serve", "{socket}"))


class Timeless:
    """A place in which nothing happens."""

    def run(self, *_: object, **__: object) -> Any:
        return type("Done", (), {"stdout": "/bin", "status": 0})


class Foreign(Testbed):
    """A server that ends at once, after it replaced what stands in its way, or not; each start takes some seconds."""

    def __init__(self, *, replaces: bool, takes: float) -> None:
        super().__init__(Timeless(), SERVER, mode=0o660, owner="alice", group=None)  # type: ignore[arg-type]
        self.replaces, self.takes, self.now, self.looks = replaces, takes, 0.0, 0
        self.least = 0.5
        self.tried = 0

    def begin_check(self) -> None:
        self.now = 0.0

    @property
    def left(self) -> float:
        return max(0.0, CHECK - self.now)

    def lay(self, location: Any = "own", extra: Any = (), **_: Any) -> None:
        self.tried += 1
        self.now += self.takes

    def root(self, *_: str) -> Any:
        return None

    def look(self, *paths: str) -> Any:
        self.looks += 1
        inode = self.looks if self.replaces else 7
        return {path: {"inode": inode, "kind": "socket", "mode": 0, "uid": 0, "gid": 0} for path in paths}

    def start(self, **_: Any) -> Any:
        return None

    def settle(self, *_: Any, **__: Any) -> bool:
        return True


FOREIGN = takeover_foreign.CHECK


def test_of_a_broken_server_no_more_is_tried_than_there_is_time_for_and_that_is_said() -> None:
    server = Foreign(replaces=True, takes=3.0)
    found = attack(server, FOREIGN)
    assert found.verdict == "broken"
    assert server.tried == 3
    assert "no time was left for a symlink to nothing, " in found.why


@pytest.mark.parametrize("takes", [0.1, 4.0])
def test_what_is_called_held_was_tried_whatever_time_that_took(takes: float) -> None:
    server = Foreign(replaces=False, takes=takes)
    found = attack(server, FOREIGN)
    assert found.verdict == "held"
    assert server.tried == len(takeover_foreign.obstacles(server))


def test_a_testbed_for_another_place_knows_what_the_first_has_learned() -> None:
    first = Foreign(replaces=False, takes=0.0)
    first.settling, first.slow_to_stop, first.type, first.limit, first.mode = 3.0, True, "dgram", 24.0, 0o600
    other = Testbed.like(first, Timeless())  # type: ignore[arg-type]
    learned = (other.settling, other.slow_to_stop, other.type, other.limit, other.mode)
    assert learned == (3.0, True, "dgram", 24.0, 0o600)
    assert other.cast == cast("alice", None)


class Meetings:
    """What comes of each meeting with a squatter, and how long it takes."""

    def __init__(self, server: Foreign, takes: float, silent: list[Finding]) -> None:
        self.server, self.takes, self.silent = server, takes, silent

    def __call__(self, testbed: Testbed, *, silent: bool, least: float = 0.0) -> Finding:
        self.server.now += self.takes
        self.least = least
        return self.silent.pop(0) if silent else held("it says that the name is taken", squatter={"connections": 1})


def met(monkeypatch: pytest.MonkeyPatch, takes: float, *silent: Finding) -> tuple[Finding, Meetings]:
    server = Foreign(replaces=False, takes=0.0)
    meetings = Meetings(server, takes, list(silent))
    monkeypatch.setattr(squatting, "_meet", meetings)
    monkeypatch.setattr(squatting, "monotonic", lambda: server.now)
    return attack(server, squatting.CHECK), meetings


CONNECTED = held("it ended", squatter={"connections": 1})
ALONE = held("it ended", squatter={"connections": 0})
CUT_OFF = broken("it was ended by SIGPIPE", squatter={"connections": 1})


def test_a_race_with_one_who_hangs_up_is_run_as_often_as_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = met(monkeypatch, 0.5, CONNECTED, CONNECTED, CONNECTED, CUT_OFF)
    assert found.verdict == "broken"
    assert "hangs up on it, it was ended by SIGPIPE" in found.why


def test_a_server_that_does_not_ask_the_squatter_meets_one_who_hangs_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found, meetings = met(monkeypatch, 0.5, ALONE, CUT_OFF)
    assert found.verdict == "held"
    assert meetings.silent == [CUT_OFF]


def test_where_there_is_no_time_for_one_who_hangs_up_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found, meetings = met(monkeypatch, 6.0, CUT_OFF)
    assert found.verdict == "held"
    assert "no time for one who hangs up on it" in found.why
    assert meetings.silent == [CUT_OFF]


def test_a_second_meeting_is_given_longer_than_the_first_took(monkeypatch: pytest.MonkeyPatch) -> None:
    _, meetings = met(monkeypatch, 2.0, ALONE)
    assert meetings.least == pytest.approx(3.0)


def test_what_the_first_end_has_shown_is_not_waited_for_again() -> None:
    server = Foreign(replaces=False, takes=0.0)
    server.stays = True
    found = attack(server, lifetime.CHECK)
    assert found.verdict == "broken"
    assert "is still there when the server has ended" in found.why
    assert server.tried == 0
