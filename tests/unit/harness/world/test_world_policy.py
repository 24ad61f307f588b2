"""Rules of an SELinux domain as a world says them: what they allow, and what is none."""

from __future__ import annotations

import pytest

from harness.inside.agent import policies
from harness.oracle import decide, linux, predict
from harness.world import Attempt, Confinement, Node, User, World, complete, dumps, loads, problems
from harness.world.policy import CLASSES, missing
from tests.helpers.policy_worlds import worlds

RULES = ("a_t:dir search", "a_t:dir write add_name", "self:unix_stream_socket create")
WORLDS = worlds()


def world(*rules: str, nodes: tuple[Node, ...] = (), attempts: tuple[Attempt, ...] = ()) -> World:
    """web is in the domain that has these rules."""
    users = (User("web", 33, 33, confined=Confinement(selinux=rules)),)
    return complete(World("w", users=users, nodes=nodes, attempts=attempts))


@pytest.mark.parametrize(
    ("target", "kind", "permissions", "lacking"),
    [
        ("a_t", "dir", ("search", "write", "add_name"), ()),
        ("a_t", "dir", ("search", "remove_name", "rmdir"), ("remove_name", "rmdir")),
        ("b_t", "dir", ("search",), ("search",)),
        ("a_t", "sock_file", ("write",), ("write",)),
        ("a_t", "file", ("open", "map"), ()),
        ("self", "unix_stream_socket", ("create", "connect"), ("connect",)),
        ("self", "unix_dgram_socket", ("create",), ("create",)),
    ],
)
def test_what_rules_lack(target: str, kind: str, permissions: tuple[str, ...], lacking: tuple[str, ...]) -> None:
    assert missing(RULES, target, kind, permissions) == lacking
    assert missing((*RULES, "permissive"), target, kind, permissions) == ()


@pytest.mark.parametrize(
    "rule",
    [
        "a_t:dir",
        "a_t:dir  search",
        "a_t:dir { search }",
        "a_t:dir open",
        "a:dir search",
        "A_t:dir search",
        "harness_open_t:dir search",
        "self:dir search",
        "a_t:process transition",
        "a_t:sock_file connectto",
        "allow a_t:dir search",
        "enforcing",
    ],
)
def test_what_is_no_rule_is_said(rule: str) -> None:
    (problem,) = problems(world(rule))
    assert problem.where[-2:] == ("confined", "selinux")
    assert "is no rule of a world" in problem.sentence


def test_a_domain_and_types_are_read_and_written_and_an_empty_domain_is_one() -> None:
    text = """
        name = "w"
        [users.web]
        uid = 33
        confined = { selinux = ["self:unix_stream_socket create", "a_t:dir search"] }
        [users.none]
        uid = 34
        confined = { selinux = [] }
        [[nodes]]
        path = "/run/s"
        kind = "socket"
        label = "a_t"
        domain = "b_t"
    """
    read = loads(text)
    assert read.user("web").confined == Confinement(selinux=("a_t:dir search", "self:unix_stream_socket create"))
    assert read.user("none").confined == Confinement(selinux=())
    assert (read.nodes[0].label, read.nodes[0].domain) == ("a_t", "b_t")
    assert loads(dumps(read)) == read


@pytest.mark.parametrize(
    ("nodes", "key", "said"),
    [
        ((Node("/run/s", "socket", label="a"),), "label", "can't be a type's name"),
        ((Node("/run/s", "socket", domain="a_t:dir"),), "domain", "can't be a type's name"),
        ((Node("@s", "socket", label="a_t"),), "label", "has a label of its own"),
        ((Node("/run/d", "directory", domain="a_t"),), "domain", "only a socket has the domain of its maker"),
        (
            (
                Node("/run/d", "directory", label="a_t"),
                Node("/run/m", "mount", fs="fuse", options=("from=/run/d",)),
            ),
            "label",
            "a world with a FUSE mount has no labels",
        ),
    ],
)
def test_what_has_no_type_is_said(nodes: tuple[Node, ...], key: str, said: str) -> None:
    (problem,) = problems(world(nodes=nodes))
    assert problem.where == ("nodes", 0, key)
    assert said in problem.sentence


def test_nobody_enters_a_domain_below_another_root_directory() -> None:
    (problem,) = problems(world(attempts=(Attempt("web", "bind", "/run/s"), Attempt("web", "bind", "/s", root="/run"))))
    assert problem.where == ("attempts", 1, "root")


def test_a_refusal_names_permission_class_and_type_and_the_way_out() -> None:
    nodes = (Node("/run/s", "socket", mode=0o777, label="a_t", domain="b_t"),)
    rules = ("a_t:sock_file write", "self:unix_stream_socket connect create")
    attempt = Attempt("web", "connect", "/run/s")
    decision = decide(world(*rules, nodes=nodes), attempt, linux())
    assert (decision.outcome, decision.at, decision.layer) == ("EACCES", "/run/s", "SELinux")
    assert decision.why == (
        "The process's SELinux domain may not connectto (unix_stream_socket) the socket of /run/s, which is b_t."
    )
    assert decision.changes[0].text == "run web outside of that domain, or have the policy allow it"
    allowed = world(*rules, "b_t:unix_stream_socket connectto", nodes=nodes)
    assert (decide(allowed, attempt, linux()).outcome, decide(allowed, attempt, linux()).layer) == ("ok", None)


def test_the_agents_policy_has_the_same_classes_and_permissions() -> None:
    assert {**CLASSES, "process": policies.CLASSES["process"]} == policies.CLASSES


@pytest.mark.parametrize("name", WORLDS)
def test_the_worlds_that_kernels_are_asked_for_say_what_the_oracle_says(name: str) -> None:
    made, layer = WORLDS[name]
    assert list(problems(made)) == []
    assert loads(dumps(made)) == made
    decisions = predict(made, made.attempts, linux())
    assert [decision.outcome for decision in decisions] == [attempt.expect for attempt in made.attempts]
    assert decisions[-1].layer == layer
