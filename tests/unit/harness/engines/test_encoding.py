"""What the agent is told: numbers for names, whole ACLs in the kernel's own form."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.encoding import acl, decode_observation, encode_attempts, encode_world
from harness.engines.protocol import Credentials, Observation
from harness.inside.agent.agent import CAPABILITIES, acl_bytes
from harness.world import AclEntry, Attempt, Node, User, World

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
    assert [row[0] for row in said["attempts"]] == [0, 1, 0]
    assert [principal["uid"] for principal in said["principals"]] == [1000, 1001]


def test_the_group_bits_of_a_mode_are_the_mask_unless_the_acl_names_one() -> None:
    entries = {(tag, who): bits for tag, who, bits in acl(WORLD, WORLD.nodes[0])}
    assert entries == {
        ("owner", None): 6,
        ("user", 1001): 6,
        ("owning group", None): 4,
        ("mask", None): 4,
        ("other", None): 0,
    }
    masked = Node("/run/s", "socket", mode=0o640, acl=(AclEntry("user", "bob", 6), AclEntry("mask", None, 7)))
    assert ("mask", None, 7) in acl(WORLD, masked)
    assert ("owning group", None, 4) in acl(WORLD, masked)


def test_an_acl_has_the_bytes_that_setfacl_would_have_set() -> None:
    """user::rw-, user:1001:rw-, group::r--, mask::rw-, other::--- as getxattr(2) gave them after setfacl(1)."""
    entries: list[tuple[str, int | None, int]] = [
        ("other", None, 0),
        ("owner", None, 6),
        ("mask", None, 6),
        ("user", 1001, 6),
        ("owning group", None, 4),
    ]
    assert acl_bytes(entries).hex() == (
        "0200000001000600ffffffff02000600e903000004000400ffffffff10000600ffffffff20000000ffffffff"
    )


@given(st.dictionaries(st.integers(0, 2**32 - 2), st.integers(0, 7)))
def test_named_entries_are_sorted_as_the_kernel_wants_them(named: dict[int, int]) -> None:
    whole = acl_bytes([("other", None, 0), *(("user", who, bits) for who, bits in named.items()), ("owner", None, 7)])
    rows = [struct.unpack_from("<HHI", whole, offset) for offset in range(4, len(whole), 8)]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[2] for row in rows[1:-1]] == sorted(named)


def test_capabilities_have_the_numbers_of_the_kernel_s_header() -> None:
    """linux/capability.h, at both ends and where the numbers cross 32."""
    for name, number in (("CHOWN", 0), ("DAC_READ_SEARCH", 2), ("SYS_ADMIN", 21), ("MAC_OVERRIDE", 32)):
        assert CAPABILITIES[f"CAP_{name}"] == number
    assert CAPABILITIES["CAP_CHECKPOINT_RESTORE"] == 40


def test_an_observation_comes_back_with_both_sides() -> None:
    seen = {"pid": 7, "uid": 1000, "gid": 2000, "groups": [7, 2001]}
    both = Credentials(7, 1000, 2000, (7, 2001))
    assert decode_observation(["ok", None, seen, seen]) == Observation("ok", None, both, both)
    assert decode_observation(["EACCES", "/run", None, None]) == Observation("EACCES", "/run")
