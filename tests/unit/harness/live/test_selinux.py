"""What is asked of SELinux's file system, and what is made of its answers: here it is a folder and a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.live import selinux
from harness.live.layer_state import LayerState
from harness.live.query import UnansweredError
from harness.live.selinux import missing_permissions
from harness.live.sockets import FoundSocket
from tests.helpers.selinux_policy import POLICY, Policy, asked, confined_actor

if TYPE_CHECKING:
    from pathlib import Path


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


def test_permissive_is_told_apart(policy: Policy) -> None:
    policy.deny("web", "run", "dir", "search")
    policy.enforce("0")
    assert asked(policy).state == LayerState("SELinux", "passed", "permissive: it refuses nothing")
    assert asked(policy).obstacles == ()


def test_the_policy_here_has_what_is_asked_for() -> None:
    assert set(POLICY) == {"dir", "sock_file", "unix_stream_socket"}
