"""What the agent is told: numbers for names, whole ACLs in the kernel's own form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.engines.encoding import acl, decode_observation, encode_attempts, encode_principal, encode_world
from harness.engines.protocol import Credentials, Observation
from harness.inside.rows import EncodedObservation
from harness.world import AclEntry, Attempt, Node, Principal, User, World

if TYPE_CHECKING:
    from harness.inside.messages import EncodedCredentials

WORLD = World(
    "w",
    groups={"web": 2000, "team": 2001},
    users=(User("root", 0, 0), User("ali", 1000, "web", ("team", 7)), User("bob", 1001, 1001)),
    nodes=(Node("/run/s", "socket", "ali", "team", 0o640, acl=(AclEntry("user", "bob", 6),)),),
)


def test_every_name_becomes_a_number() -> None:
    said = encode_world(WORLD)
    ali = next(user for user in said["users"] if user["name"] == "ali")
    assert (ali["uid"], ali["gid"], ali["groups"]) == (1000, 2000, [7, 2001])
    assert (said["nodes"][0]["owner"], said["nodes"][0]["group"]) == (1000, 2001)
    assert said["groups"] == {"root": 0, "web": 2000, "team": 2001, "bob": 1001}


def test_a_world_goes_over_the_wire_as_json() -> None:
    assert json.loads(json.dumps(encode_world(WORLD)))["nodes"][0]["acl"]


def test_an_unknown_name_is_said() -> None:
    world = World("w", users=(User("root", 0, 0),), nodes=(Node("/x", "file", "nobody"),))
    with pytest.raises(KeyError, match="nobody"):
        encode_world(world)


def test_attempts_of_one_principal_share_its_number() -> None:
    said = encode_attempts(WORLD, [Attempt(user, "connect", "/run/s") for user in ("ali", "bob", "ali")])
    assert [row.who for row in said["attempts"]] == [0, 1, 0]
    assert [principal["uid"] for principal in said["principals"]] == [1000, 1001]


def test_the_group_bits_of_a_mode_are_the_mask_unless_the_acl_names_one() -> None:
    entries = {(tag, who): bits for tag, who, bits in acl(WORLD, WORLD.nodes[0].mode, WORLD.nodes[0].acl)}
    assert entries == {
        ("owner", None): 6,
        ("user", 1001): 6,
        ("owning group", None): 4,
        ("mask", None): 4,
        ("other", None): 0,
    }
    masked = Node("/run/s", "socket", mode=0o640, acl=(AclEntry("user", "bob", 6), AclEntry("mask", None, 7)))
    assert ("mask", None, 7) in acl(WORLD, masked.mode, masked.acl)
    assert ("owning group", None, 4) in acl(WORLD, masked.mode, masked.acl)


def test_a_principal_has_its_capabilities_sorted_or_none_of_its_own_choice() -> None:
    chosen = Principal(1000, 2000, (7,), frozenset({"CAP_FOWNER", "CAP_CHOWN"}))
    assert encode_principal(chosen) == {
        "uid": 1000,
        "gid": 2000,
        "groups": [7],
        "capabilities": ["CAP_CHOWN", "CAP_FOWNER"],
        "confined": None,
    }
    assert encode_principal(Principal(0, 0)) == {
        "uid": 0,
        "gid": 0,
        "groups": [],
        "capabilities": None,
        "confined": None,
    }


def test_an_observation_comes_back_with_both_sides() -> None:
    seen: EncodedCredentials = {"pid": 7, "uid": 1000, "gid": 2000, "groups": [7, 2001]}
    both = Credentials(7, 1000, 2000, (7, 2001))
    assert decode_observation(EncodedObservation("ok", None, seen, seen, None)) == Observation("ok", None, both, both)
    assert decode_observation(EncodedObservation("EACCES", "/run", None, None, None)) == Observation("EACCES", "/run")
