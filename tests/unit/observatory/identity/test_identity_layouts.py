"""What each kernel's bytes say, laid out by hand from its header and not by the tables under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.identity import PeerCredentials, freebsd, macos, netbsd, openbsd
from observatory.identity.credentials import UNKNOWN
from observatory.identity.layouts import LINUX_UCRED, parse

if TYPE_CHECKING:
    from observatory.identity.layouts import ByteOrder

ORDERS = pytest.mark.parametrize("order", ["little", "big"])

# uid 4_000_000_000 needs all 32 bits: read as signed it would be negative.
UID, GID, PID = 4_000_000_000, 2_147_483_648, 4711
IN_ORDER = {
    "little": {"uid": "00286bee", "gid": "00000080", "pid": "67120000", "-1": "ffffffff"},
    "big": {"uid": "ee6b2800", "gid": "80000000", "pid": "00001267", "-1": "ffffffff"},
}


def raw(order: ByteOrder, text: str) -> bytes:
    """Words by name or by number (4 bytes each, in the order), `h` numbers of 2 bytes, `--` one byte of padding."""
    out = b""
    for word in text.split():
        if word == "--":
            out += b"\xa5"
        elif word in IN_ORDER[order]:
            out += bytes.fromhex(IN_ORDER[order][word])
        elif word.startswith("h"):
            out += int(word[1:]).to_bytes(2, order)
        else:
            out += int(word).to_bytes(4, order)
    return out


@ORDERS
def test_linux_says_pid_uid_gid(order: ByteOrder) -> None:
    members = parse(LINUX_UCRED, raw(order, "pid uid gid"), order)

    assert members == {"pid": (PID,), "uid": (UID,), "gid": (GID,)}


@ORDERS
def test_openbsd_says_uid_gid_pid(order: ByteOrder) -> None:
    assert openbsd.parse(raw(order, "uid gid pid"), order) == PeerCredentials(PID, UID, GID, None)


@ORDERS
def test_netbsd_says_pid_uid_gid(order: ByteOrder) -> None:
    assert netbsd.parse(raw(order, "pid uid gid"), order) == PeerCredentials(PID, UID, GID, None)


@ORDERS
@pytest.mark.parametrize(("pointer", "pad"), [(8, "-- -- -- --"), (4, "")])
def test_freebsd_has_the_pid_behind_the_groups_aligned_as_a_pointer(order: ByteOrder, pointer: int, pad: str) -> None:
    answer = raw(order, f"0 uid h3 -- -- gid 20 30 {'0 ' * 13} {pad} pid")
    answer += b"\0" * (pointer - 4)

    assert freebsd.parse(answer, pointer, order) == PeerCredentials(PID, UID, GID, (20, 30))


@ORDERS
def test_freebsd_before_13_has_a_null_pointer_where_the_pid_would_be(order: ByteOrder) -> None:
    answer = raw(order, f"0 uid h1 -- -- gid {'0 ' * 15} -- -- -- -- 0 0")

    assert freebsd.parse(answer, 8, order) == PeerCredentials(None, UID, GID, ())


@ORDERS
def test_macos_has_no_pid_in_the_structure_and_takes_it_from_the_second_answer(order: ByteOrder) -> None:
    answer = raw(order, f"0 uid h2 -- -- gid 20 {'0 ' * 14}")

    assert macos.parse(answer, b"", order) == PeerCredentials(None, UID, GID, (20,))
    assert macos.parse(answer, raw(order, "pid"), order) == PeerCredentials(PID, UID, GID, (20,))


@ORDERS
def test_a_full_group_list_may_have_been_cut_and_is_not_reported(order: ByteOrder) -> None:
    full = raw(order, f"0 uid h16 -- -- gid {' '.join(str(n) for n in range(100, 115))}")
    one_less = raw(order, f"0 uid h15 -- -- gid {' '.join(str(n) for n in range(100, 114))} 0")

    assert macos.parse(full, b"", order) == PeerCredentials(None, UID, GID, None)
    assert macos.parse(one_less, b"", order) == PeerCredentials(None, UID, GID, tuple(range(100, 114)))


@ORDERS
@pytest.mark.parametrize("count", [0, -1, 17])
def test_a_group_count_that_makes_no_sense_leaves_the_gid_unknown(order: ByteOrder, count: int) -> None:
    words = raw(order, "0 uid") + count.to_bytes(2, order, signed=True) + raw(order, f"-- -- gid {'0 ' * 15}")

    assert macos.parse(words, b"", order) == PeerCredentials(None, UID, None, None)


@ORDERS
def test_another_version_of_xucred_is_not_guessed_at(order: ByteOrder) -> None:
    assert macos.parse(raw(order, f"1 uid h1 -- -- gid {'0 ' * 15}"), b"", order) == UNKNOWN


@ORDERS
def test_minus_one_is_no_id_and_zero_is_no_pid(order: ByteOrder) -> None:
    assert openbsd.parse(raw(order, "-1 -1 0"), order) == UNKNOWN
    assert netbsd.parse(raw(order, "0 -1 -1"), order) == UNKNOWN
    assert openbsd.parse(raw(order, "0 0 -1"), order) == PeerCredentials(None, 0, 0, None)


@pytest.mark.parametrize("missing", [1, 4, 12])
def test_a_short_answer_says_nothing(missing: int) -> None:
    assert openbsd.parse(bytes(12 - missing), "little") == UNKNOWN
    assert netbsd.parse(bytes(12 - missing), "little") == UNKNOWN
    assert freebsd.parse(bytes(88 - missing), 8, "little") == UNKNOWN
    assert macos.parse(bytes(76 - missing), b"", "little") == UNKNOWN
    assert parse(LINUX_UCRED, bytes(12 - missing), "little") is None
