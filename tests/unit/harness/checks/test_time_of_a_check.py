"""A check says what it had no time for, and calls nothing held that it did not try."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks import takeover_foreign
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

    def lay(self, *_: Any) -> None:
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
    server = Foreign(replaces=True, takes=4.0)
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
