"""What is asked of AppArmor by each operation, and what is made of its answers: here it is a table."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from harness.live import apparmor
from harness.live.components import Component
from harness.live.scene import Scene
from harness.world import Attempt, Node, User, World, complete
from tests.helpers.selinux_policy import confined_actor

if TYPE_CHECKING:
    from harness.live.components import ComponentKind
    from harness.live.layer_state import Answer
    from harness.world import Operation

EXECUTE, WRITE, READ, CREATE, DELETE = 0x1, 0x2, 0x4, 0x10, 0x20
OPEN, SETATTR, GETATTR, CHMOD, CHOWN = 0x40, 0x100, 0x200, 0x1000, 0x2000
"""AA_MAY_EXEC and others (security/apparmor/include/perms.h)."""
KINDS: dict[str, tuple[ComponentKind, int]] = {
    "/": ("directory", stat.S_IFDIR),
    "/run": ("directory", stat.S_IFDIR),
    "/run/d": ("directory", stat.S_IFDIR),
    "/run/s": ("socket", stat.S_IFSOCK),
    "/run/f": ("file", stat.S_IFREG),
    "/run/l": ("symlink", stat.S_IFLNK),
}
ASKED: dict[tuple[Operation, str, str | None], dict[str, int]] = {
    ("connect", "/run/s", None): {"/run/s": READ | WRITE | OPEN},
    ("bind", "/run/n", None): {"/run/n": CREATE},
    ("create", "/run/n", None): {"/run/n": CREATE | WRITE},
    ("create", "/run/f", None): {"/run/f": CREATE | WRITE},
    ("mkdir", "/run/n", None): {"/run/n/": CREATE},
    ("unlink", "/run/s", None): {"/run/s": DELETE},
    ("rename", "/run/s", "/run/n"): {
        "/run/s": READ | GETATTR | WRITE | SETATTR | DELETE,
        "/run/n": WRITE | SETATTR | CREATE,
    },
    ("rename", "/run/d", "/run/n"): {
        "/run/d/": READ | GETATTR | WRITE | SETATTR | DELETE,
        "/run/n/": WRITE | SETATTR | CREATE,
    },
    ("chmod", "/run/s", None): {"/run/s": CHMOD},
    ("chown", "/run/d", None): {"/run/d/": CHOWN},
    ("stat", "/run/f", None): {"/run/f": GETATTR},
    ("read", "/run/f", None): {"/run/f": READ},
    ("list", "/run/d", None): {"/run/d/": READ},
    ("write", "/run/f", None): {"/run/f": WRITE},
    ("truncate", "/run/f", None): {"/run/f": WRITE | SETATTR},
    ("execute", "/run/f", None): {"/run/f": EXECUTE},
    ("readlink", "/run/l", None): {},
}
"""What the kernel asks of paths by security/apparmor/lsm.c."""
EACH = [
    (attempt, path, 1 << bit)
    for attempt, masks in ASKED.items()
    for path, mask in masks.items()
    for bit in range(16)
    if mask >> bit & 1
]


class Profile:
    """A profile as the kernel answers about it: what it allows of each path."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.allowed: dict[str, int] = {}
        monkeypatch.setattr(apparmor, "enforced_label", lambda _pid: "app (enforce)")
        monkeypatch.setattr(apparmor, "_asks_of_peers", lambda _label: True)
        monkeypatch.setattr(apparmor, "_makes_sockets", lambda _label, _kind: True)
        monkeypatch.setattr(apparmor, "ask", self._ask)

    def _ask(self, label: str, query: bytes, fsuid: int | None = None) -> int:
        del fsuid
        assert (label, query[0]) == ("app", apparmor.FILES)
        return self.allowed.get(os.fsdecode(query[1:]), 0)

    def answers(
        self,
        operation: Operation,
        path: str,
        to: str | None = None,
        hidden: str | None = None,
        world: World | None = None,
    ) -> Answer:
        """What AppArmor says of what web wants."""
        components = {
            each: Component(each, kind, os.stat_result((mode | 0o755, 2, 1, 1, 33, 33, 0, 0, 0, 0)), (), None)
            for each, (kind, mode) in KINDS.items()
        }
        ends = tuple(end for end in (path, to) if end is not None)
        scene = Scene(
            complete(world or World("w", users=(User("web", 33, 33),))),
            Attempt("web", operation, path, to),
            hidden,
            components["/"],
            (),
            frozenset(),
            components=components,
            ends=ends if hidden is None else (None,),
        )
        return apparmor.answer(confined_actor(), scene, {"apparmor"})


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> Profile:
    return Profile(monkeypatch)


@pytest.mark.parametrize("attempt", ASKED, ids=lambda attempt: attempt[0])
def test_what_an_operation_asks_for_is_enough(profile: Profile, attempt: tuple[Operation, str, str | None]) -> None:
    profile.allowed = ASKED[attempt]
    answer = profile.answers(*attempt)
    assert answer.obstacles == ()
    assert answer.state is not None
    # Under which profile a program would run is another question.
    assert answer.state.state == ("not looked at" if attempt[0] == "execute" else "passed")


@pytest.mark.parametrize(
    ("attempt", "path", "missing"), EACH, ids=[f"{attempt[0]}-{path}-{bit:x}" for attempt, path, bit in EACH]
)
def test_nothing_passes_without_each_permission_that_it_asks_for(
    profile: Profile, attempt: tuple[Operation, str, str | None], path: str, missing: int
) -> None:
    profile.allowed = {**ASKED[attempt], path: ASKED[attempt][path] & ~missing}
    (refusal,) = profile.answers(*attempt).obstacles
    assert (refusal.at, refusal.outcome, refusal.layer) == (path.rstrip("/"), "EACCES", "AppArmor")
    assert f"add the rule '{path} " in refusal.changes[0].text


@pytest.mark.parametrize(
    ("operation", "path", "to", "hidden"),
    [
        ("bind", "/run/s", None, None),
        ("mkdir", "/run/d", None, None),
        ("unlink", "/run/n", None, None),
        ("read", "/run/n", None, None),
        ("rename", "/run/n", "/run/o", None),
        ("read", "/run/d/f", None, "/run/d/f"),
    ],
)
def test_what_it_is_not_asked_about_has_not_passed(
    profile: Profile, operation: Operation, path: str, to: str | None, hidden: str | None
) -> None:
    answer = profile.answers(operation, path, to, hidden)
    assert answer.obstacles == ()
    assert answer.state is not None
    assert (answer.state.state, bool(answer.state.why)) == ("not looked at", True)


@pytest.mark.parametrize(
    ("mode", "uid", "state"), [(0o600, 0, "not looked at"), (0o666, 0, "passed"), (0o600, 33, "passed")]
)
def test_whether_capabilities_may_be_used_is_left_open_where_the_answer_turns_on_them(
    profile: Profile, mode: int, uid: int, state: str
) -> None:
    profile.allowed = {"/run/f": READ}
    users = (User("web", uid, uid),)
    world = World("w", users=users, nodes=(Node("/run/f", "file", 1000, 1000, mode),))
    answer = profile.answers("read", "/run/f", world=world)
    assert answer.state is not None
    assert answer.state.state == state
