"""What is asked of SELinux's file system, and what is made of its answers: here it is a folder and a function."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.live import selinux
from harness.live.layer_state import LayerState
from harness.live.limits import in_child
from harness.live.query import UnansweredError
from harness.live.selinux import missing_permissions
from harness.live.sockets import FoundSocket
from harness.world import Node, User, World
from tests.helpers.selinux_policy import Policy, asked, confined_actor

if TYPE_CHECKING:
    from pathlib import Path

    from harness.world import Operation


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Policy:
    return Policy(tmp_path, monkeypatch)


def test_the_permissions_that_are_missing_are_told_by_name(policy: Policy) -> None:
    policy.allow("web", "var", "sock_file", "write", "unlink")
    assert missing_permissions("web", "var", "sock_file", ("write", "setattr")) == ["setattr"]
    assert missing_permissions("web", "home", "sock_file", ("write",)) == ["write"]


def test_a_permissive_domain_is_refused_nothing(policy: Policy) -> None:
    policy.permissive.add("web")
    assert missing_permissions("web", "home", "sock_file", ("write",)) == []


def test_what_the_policy_does_not_know_is_no_answer(policy: Policy) -> None:
    with pytest.raises(UnansweredError, match="the policy does not know vsock_socket"):
        missing_permissions("web", "home", "vsock_socket", ("write",))
    policy.answers = False
    with pytest.raises(UnansweredError, match="does not answer"):
        missing_permissions("web", "home", "sock_file", ("write",))


def test_each_question_is_asked_and_the_first_refusal_is_of_the_component(policy: Policy) -> None:
    policy.allow_all("web")
    assert asked(policy).state == LayerState("SELinux", "passed", "the policy allows it to web, says the kernel")
    for target, kind, permission, at, last in (
        ("web", "unix_stream_socket", "create", "/run/s", False),
        ("run", "dir", "search", "/run", False),
        ("var", "sock_file", "write", "/run/s", False),
        ("server", "unix_stream_socket", "connectto", "/run/s", True),
    ):
        policy.allow_all("web")
        policy.deny("web", target, kind, permission)
        (refusal,) = asked(policy).obstacles
        assert (refusal.at, refusal.outcome, refusal.layer, refusal.last) == (at, "EACCES", "SELinux", last)
        assert f"SELinux does not let web {permission} ({kind})" in refusal.why
        assert refusal.changes[0].text.startswith("look for a denial: ausearch")


def test_a_listener_that_is_not_known_leaves_it_open_unless_something_refuses_before(policy: Policy) -> None:
    policy.allow_all("web")
    policy.holder = None
    state = asked(policy).state
    assert state is not None
    assert (state.state, state.look) == ("not looked at", selinux.LOOK)
    assert asked(policy, listener=FoundSocket("stream", "stale")).state == LayerState(
        "SELinux", "passed", "the policy allows it to web, says the kernel"
    )
    policy.deny("web", "var", "sock_file", "write")
    assert [one.at for one in asked(policy).obstacles] == ["/run/s"]


def test_who_has_no_process_has_no_known_context(policy: Policy) -> None:
    state = asked(policy, who=confined_actor(process=False)).state
    assert state is not None
    assert (state.state, state.why) == ("not looked at", "the context of a new login is not known: ask with --pid")


def test_a_context_is_read_by_a_process_that_may_wait_for_ever(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selinux, "in_child", in_child)
    monkeypatch.setattr(selinux, "_getxattr", lambda _path: f"child-of-{os.getppid()}")
    assert any(one.why.endswith(f", which is child-of-{os.getpid()}") for one in asked(policy).obstacles)


def test_permissive_is_told_apart(policy: Policy) -> None:
    policy.deny("web", "run", "dir", "search")
    policy.enforce("0")
    assert asked(policy).state == LayerState("SELinux", "passed", "permissive: it refuses nothing")
    assert asked(policy).obstacles == ()


SEARCHED = "root:dir search, run:dir search"
MADE = "root:dir search, run:dir search write add_name, new:"
TAKEN = "root:dir search, run:dir search write remove_name, var:"
ASKED: dict[tuple[Operation, str, str | None], str] = {
    ("bind", "/run/n", None): f"web:unix_stream_socket create bind, {MADE}sock_file create",
    ("create", "/run/n", None): f"{MADE}file create write open",
    ("create", "/run/f", None): f"{SEARCHED}, var:file write open",
    ("mkdir", "/run/n", None): f"{MADE}dir create",
    ("unlink", "/run/s", None): f"{TAKEN}sock_file unlink",
    ("rename", "/run/s", "/run/n"): "root:dir search, run:dir search write remove_name add_name, var:sock_file rename",
    ("rename", "/run/s", "/run/f"): (
        "root:dir search, run:dir search write remove_name add_name, var:sock_file rename, var:file unlink"
    ),
    ("rename", "/run/s", "/srv/n"): f"{TAKEN}sock_file rename, srv:dir search write add_name",
    ("rename", "/run/d", "/srv/n"): (
        "root:dir search, run:dir search write remove_name, sub:dir rename reparent, srv:dir search write add_name"
    ),
    ("rename", "/run/d", "/srv"): (
        "root:dir search write add_name remove_name, run:dir search write remove_name, sub:dir rename reparent, "
        "srv:dir rmdir"
    ),
    ("chmod", "/run/s", None): f"{SEARCHED}, var:sock_file setattr",
    ("chown", "/run/f", None): f"{SEARCHED}, var:file setattr",
    ("stat", "/run/d", None): f"{SEARCHED}, sub:dir getattr",
    ("readlink", "/run/l", None): f"{SEARCHED}, var:lnk_file read",
    ("read", "/run/f", None): f"{SEARCHED}, var:file read open",
    ("write", "/run/p", None): f"{SEARCHED}, var:fifo_file write open",
    ("truncate", "/run/f", None): f"{SEARCHED}, var:file write open",
    ("list", "/run/d", None): f"{SEARCHED}, sub:dir read open",
    ("execute", "/run/f", None): f"{SEARCHED}, var:file execute read open",
}
"""What the kernel asks for by security/selinux/hooks.c: contexts, classes and permissions."""
EACH = [
    (attempt, target, permission)
    for attempt, line in ASKED.items()
    for target, _, permissions in (part.partition(" ") for part in line.split(", "))
    for permission in permissions.split()
]


@pytest.mark.parametrize("attempt", ASKED, ids=lambda attempt: attempt[0])
def test_what_an_operation_asks_for_is_enough(policy: Policy, attempt: tuple[Operation, str, str | None]) -> None:
    operation, path, to = attempt
    for part in ASKED[attempt].split(", "):
        target, _, permissions = part.partition(" ")
        policy.allow("web", *target.split(":"), *permissions.split())
    state = asked(policy, operation=operation, path=path, to=to).state
    assert state is not None
    assert asked(policy, operation=operation, path=path, to=to).obstacles == ()
    # Which domain a program would run in is another question.
    assert state.state == ("not looked at" if operation == "execute" else "passed")


@pytest.mark.parametrize(
    ("attempt", "target", "permission"), EACH, ids=["-".join((each[0][0], *each[1:])) for each in EACH]
)
def test_nothing_passes_without_each_permission_that_it_asks_for(
    policy: Policy, attempt: tuple[Operation, str, str | None], target: str, permission: str
) -> None:
    operation, path, to = attempt
    context, kind = target.split(":")
    policy.allow_all("web")
    policy.deny("web", context, kind, permission)
    (refusal,) = asked(policy, operation=operation, path=path, to=to).obstacles
    assert f"SELinux does not let web {permission} ({kind})" in refusal.why


def test_capabilities_that_a_policy_withholds_do_not_help(policy: Policy) -> None:
    def refused(mode: int, capability: str | None, *held: str) -> list[tuple[str, str | None, str]]:
        policy.allow_all("web")
        if capability is not None:
            policy.deny("web", "web", "capability", capability)
        users = (User("web", 33, 33, capabilities=frozenset(held)),)
        nodes = (Node("/run", "directory", mode=mode), Node("/run/s", "socket", mode=mode | 0o666))
        found = asked(policy, world=World("w", users=users, nodes=nodes)).obstacles
        return [(one.at, one.outcome, one.why) for one in found]

    assert refused(0o700, None, "CAP_DAC_OVERRIDE") == []
    ((at, outcome, why),) = refused(0o700, "dac_override", "CAP_DAC_OVERRIDE")
    assert (at, outcome) == ("/run", "EACCES")
    assert "SELinux does not let web use CAP_DAC_OVERRIDE, without which" in why
    assert refused(0o755, "dac_override", "CAP_DAC_OVERRIDE") == []
    assert refused(0o700, "fowner", "CAP_DAC_OVERRIDE", "CAP_FOWNER") == []
    assert refused(0o700, "dac_override", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH") == []
    assert refused(0o700, "dac_override") == []


def test_opening_is_asked_for_by_policies_that_say_so(policy: Policy) -> None:
    policy.allow_all("web")
    policy.deny("web", "var", "file", "open")
    assert asked(policy, operation="read", path="/run/f").obstacles
    policy.asks_to_open("0")
    assert asked(policy, operation="read", path="/run/f").obstacles == ()


@pytest.mark.parametrize(
    ("operation", "path", "to", "hidden"),
    [
        ("bind", "/run/s", None, None),
        ("mkdir", "/run/d", None, None),
        ("unlink", "/run/n", None, None),
        ("read", "/run/n", None, None),
        ("rename", "/run/n", "/srv/n", None),
        ("read", "/run/d/f", None, "/run/d"),
    ],
)
def test_what_it_is_not_asked_about_has_not_passed(
    policy: Policy, operation: Operation, path: str, to: str | None, hidden: str | None
) -> None:
    policy.allow_all("web")
    found = asked(policy, operation=operation, path=path, to=to, hidden=hidden)
    assert found.obstacles == ()
    assert found.state is not None
    assert (found.state.state, bool(found.state.why)) == ("not looked at", True)
    policy.deny("web", "run", "dir", "search")
    (refusal,) = asked(policy, operation=operation, path=path, to=to, hidden=hidden).obstacles
    assert refusal.at == "/run"
