from __future__ import annotations

from dataclasses import replace

import pytest

from harness.engines.protocol import Facts
from harness.oracle import SYSTEMS, freebsd, linux, netbsd, openbsd, rules_of, xnu
from harness.world import Node
from tests.unit.harness.oracle.conftest import ask, directory, entry, link, outcome, socket


@pytest.mark.parametrize(
    ("mode", "admitted"),
    [
        (0o666, {"alice", "bob", "carol", "dan"}),
        (0o660, {"alice", "bob", "carol"}),
        (0o600, {"alice"}),
        (0o222, {"alice", "bob", "carol", "dan"}),
        (0o444, set()),
        (0o066, {"bob", "carol", "dan"}),
        (0o602, {"alice", "dan"}),
        (0o606, {"alice", "dan"}),
        (0o755, {"alice"}),
        (0o000, set()),
    ],
)
def test_write_alone_of_the_one_class_that_applies_lets_connect(mode: int, admitted: set[str]) -> None:
    people = ("alice", "bob", "carol", "dan")
    assert {who for who in people if outcome(who, "connect", "/run/s", socket(mode=mode)) == "ok"} == admitted


@pytest.mark.parametrize("user", ["root", "overrider"])
def test_cap_dac_override_passes_the_socket_and_the_directory(user: str) -> None:
    assert outcome(user, "connect", "/run/d/s", directory("/run/d", 0), socket("/run/d/s", 0)) == "ok"


def test_cap_dac_read_search_passes_the_directory_only() -> None:
    closed, open_ = socket("/run/d/s", 0o600), socket("/run/d/s", 0o666)
    assert outcome("reader", "connect", "/run/d/s", directory("/run/d", 0), open_) == "ok"
    assert ask("reader", "connect", "/run/d/s", directory("/run/d", 0), closed).at == "/run/d/s"


@pytest.mark.parametrize("user", ["powerless", "fowner"])
def test_root_without_capabilities_and_cap_fowner_are_ordinary(user: str) -> None:
    assert outcome(user, "connect", "/run/s", socket(mode=0o600)) == "EACCES"
    assert outcome(user, "connect", "/run/d/s", directory("/run/d", 0o700), socket("/run/d/s", 0o666)) == "EACCES"


def test_search_permission_is_all_that_a_directory_must_give() -> None:
    assert outcome("dan", "connect", "/run/d/s", directory("/run/d", 0o711), socket("/run/d/s", 0o666)) == "ok"
    refused = ask("dan", "connect", "/run/d/s", directory("/run/d", 0o666), socket("/run/d/s", 0o666))
    assert (refused.outcome, refused.at, refused.needs, refused.has) == ("EACCES", "/run/d", "x", "rw")


def test_a_missing_name_in_a_directory_that_may_not_be_searched_is_eacces() -> None:
    assert outcome("dan", "connect", "/run/d/nothing", directory("/run/d", 0o700)) == "EACCES"
    refused = ask("dan", "connect", "/run/d/nothing", directory("/run/d", 0o755))
    assert (refused.outcome, refused.at) == ("ENOENT", "/run/d/nothing")


@pytest.mark.parametrize(("mode", "said"), [(0o666, "ECONNREFUSED"), (0o600, "EACCES")])
@pytest.mark.parametrize("state", ["stale", "bound"])
def test_permission_comes_before_the_question_whether_anybody_listens(mode: int, said: str, state: str) -> None:
    assert outcome("dan", "connect", "/run/s", socket(mode=mode, state=state)) == said


@pytest.mark.parametrize(("mode", "said"), [(0o666, "ECONNREFUSED"), (0o600, "EACCES")])
def test_a_file_that_may_be_written_refuses_the_connection(mode: int, said: str) -> None:
    assert outcome("dan", "connect", "/run/f", Node("/run/f", "file", mode=mode)) == said


@pytest.mark.parametrize("rules", [freebsd(), xnu(), openbsd(), netbsd()], ids=["freebsd", "xnu", "openbsd", "netbsd"])
@pytest.mark.parametrize("mode", [0o666, 0o600])
def test_the_bsds_look_for_a_socket_before_permission(rules: object, mode: int) -> None:
    file = Node("/run/f", "file", mode=mode)
    assert outcome("dan", "connect", "/run/f", file, rules=rules) == "ENOTSOCK"  # type: ignore[arg-type]


def test_both_ends_must_be_of_one_type_and_that_comes_before_listening() -> None:
    assert outcome("dan", "connect", "/run/s", socket(mode=0o666, type="dgram")) == "EPROTOTYPE"
    assert outcome("dan", "connect", "/run/s", socket(mode=0o666, state="bound"), type="dgram") == "EPROTOTYPE"
    assert outcome("dan", "connect", "/run/s", socket(mode=0o666, state="stale"), type="dgram") == "ECONNREFUSED"
    assert outcome("dan", "connect", "/run/s", socket(mode=0o666, type="dgram"), type="dgram") == "ok"


def test_a_read_only_mount_does_not_keep_anybody_from_connecting() -> None:
    mount = Node("/srv/m", "mount", fs="tmpfs", options=("ro",))
    assert outcome("dan", "connect", "/srv/m/s", mount, socket("/srv/m/s", 0o666)) == "ok"


def test_the_owner_never_consults_the_acl() -> None:
    acl = (entry("user:alice:7"),)
    assert outcome("alice", "connect", "/run/s", socket(mode=0o070, acl=acl)) == "EACCES"


@pytest.mark.parametrize(
    ("user", "mode", "acl", "said", "applied"),
    [
        ("dan", 0o660, ("user:dan:6",), "ok", "acl user"),
        ("dan", 0o640, ("user:dan:6",), "EACCES", "acl user"),  # the mask, which is the group's bits, takes w away
        ("dan", 0o640, ("user:dan:6", "mask::6"), "ok", "acl user"),
        ("bob", 0o660, ("group::0", "user:dan:6"), "EACCES", "group"),
        ("dan", 0o662, ("group:ops:6",), "ok", "other"),
        ("bob", 0o662, ("group::4",), "EACCES", "group"),
        ("bob", 0o660, ("group::4", "group:bob:2"), "ok", "acl group"),
        ("bob", 0o660, ("group::0", "group:bob:4"), "EACCES", "group"),
        ("carol", 0o666, ("user:carol:0",), "EACCES", "acl user"),
    ],
)
def test_an_acl_names_users_then_groups_and_the_mask_limits_both(
    user: str, mode: int, acl: tuple[str, ...], said: str, applied: str
) -> None:
    decision = ask(user, "connect", "/run/s", socket(mode=mode, acl=tuple(map(entry, acl))))
    assert (decision.outcome, decision.applied) == (said, applied)


def test_linux_passes_over_the_acl_while_the_group_bits_are_zero_and_posix_does_not() -> None:
    node = socket(mode=0o606, acl=(entry("user:dan:6"),))
    decision = ask("dan", "connect", "/run/s", node)
    assert (decision.outcome, decision.applied) == ("ok", "other")
    assert "the ACL is passed over" in decision.because
    for rules in (freebsd(), netbsd()):
        posix = ask("dan", "connect", "/run/s", node, rules=rules)
        assert (posix.outcome, posix.applied) == ("EACCES", "acl user")
    assert ask("dan", "connect", "/run/s", node, rules=openbsd()).applied == "other", "it has no ACLs"
    assert "passed over" not in ask("bob", "connect", "/run/s", node, rules=freebsd()).because


def test_abstract_names_ask_for_no_permission_and_each_type_has_its_own() -> None:
    node = Node("@name", "socket")
    assert outcome("dan", "connect", "@name", node) == "ok"
    assert outcome("dan", "connect", "@other", node) == "ECONNREFUSED"
    assert outcome("dan", "connect", "@name", node, type="dgram") == "ECONNREFUSED"
    assert outcome("dan", "connect", "@name", Node("@name", "socket", state="bound")) == "ECONNREFUSED"


def test_where_there_are_no_abstract_names_an_at_sign_is_a_letter() -> None:
    assert outcome("dan", "connect", "@name", rules=xnu()) == "ENOENT"


@pytest.mark.parametrize(
    ("rules", "room", "said"),
    [(linux(), 108, "EINVAL"), (freebsd(), 104, "EINVAL"), (openbsd(), 103, "EINVAL"), (xnu(), 253, "ENAMETOOLONG")],
)
def test_an_address_has_room_for_so_many_bytes(rules: object, room: int, said: str) -> None:
    fits = "/run/" + "é" * ((room - 5) // 2) + "x" * ((room - 5) % 2)
    assert len(fits.encode()) == room
    assert outcome("dan", "connect", fits, rules=rules) == "ENOENT"  # type: ignore[arg-type]
    assert outcome("dan", "connect", fits + "x", rules=rules) == said  # type: ignore[arg-type]


def test_a_symlink_leads_to_the_socket_and_its_own_mode_is_nothing() -> None:
    decision = ask("dan", "connect", "/srv/link", link("/srv/link", "../run/s"), socket(mode=0o666))
    assert (decision.outcome, decision.at) == ("ok", "/run/s")


def test_the_directories_behind_a_symlink_must_be_searchable_too() -> None:
    decision = ask(
        "dan", "connect", "/srv/link", link("/srv/link", "/run/d/s"), directory("/run/d", 0o700), socket("/run/d/s")
    )
    assert (decision.outcome, decision.at) == ("EACCES", "/run/d")


def test_a_decision_says_who_was_refused_where_and_why() -> None:
    decision = ask("bob", "connect", "/run/s", socket(mode=0o602))
    assert decision.why == (
        "bob lacks w on /run/s. The class group applies: uid 1001 (bob) is not the owner 1000 (alice); "
        "one of the supplementary groups, 2000 (web), is the group. It grants nothing."
    )
    assert ask("carol", "connect", "/run/s", socket(mode=0o660)).why == (
        "carol may connect /run/s. The class group applies: uid 1002 (carol) is not the owner 1000 (alice); "
        "the gid, 2000 (web), is the group. It grants rw."
    )
    assert ask("overrider", "connect", "/run/s", socket(mode=0o600)).why == (
        "overrider may connect /run/s: CAP_DAC_OVERRIDE passes over missing permission bits here."
    )


def test_the_rules_are_those_of_the_system_and_of_one_that_is_not_known_there_are_none() -> None:
    facts = Facts("host", "1", "any", "3", {"fs.protected_symlinks": 1})
    assert [rules_of(replace(facts, system=system)).name for system in SYSTEMS] == [
        *("linux", "xnu", "freebsd", "openbsd", "netbsd")
    ]
    assert rules_of(facts).protected_symlinks
    with pytest.raises(ValueError, match="no rules are known of the kernel of Plan9; known are those of Linux"):
        rules_of(replace(facts, system="Plan9"))
