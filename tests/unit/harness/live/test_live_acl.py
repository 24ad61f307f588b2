from __future__ import annotations

import errno
import os
import struct
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.live.acl import ATTRIBUTE, parse_acl, read_acl
from harness.world import AclEntry

if TYPE_CHECKING:
    from pathlib import Path

TAGS = {0x01: None, 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: None}
NAMED = {0x02, 0x08}
NOBODY = 0xFFFFFFFF


linux = pytest.mark.skipif(sys.platform != "linux", reason="what is looked at here is Linux's")


def attribute(*entries: tuple[int, int, int]) -> bytes:
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_what_setfacl_wrote_is_read_with_its_numbers() -> None:
    # u::rw-, u:1001:rw-, g::---, g:33:r--, m::rw-, o::---
    written = attribute((1, 6, NOBODY), (2, 6, 1001), (4, 0, NOBODY), (8, 4, 33), (16, 6, NOBODY), (32, 0, NOBODY))
    assert parse_acl(written) == (
        AclEntry("user", 1001, 6),
        AclEntry("group", None, 0),
        AclEntry("group", 33, 4),
        AclEntry("mask", None, 6),
    )


@linux
@given(st.lists(st.tuples(st.sampled_from(sorted(TAGS)), st.integers(0, 7), st.integers(0, NOBODY))))
def test_every_entry_that_is_no_mode_bit_is_kept_in_its_order(entries: list[tuple[int, int, int]]) -> None:
    kept = [(TAGS[tag], who if tag in NAMED else None, bits) for tag, bits, who in entries if TAGS[tag] is not None]
    assert [(entry.tag, entry.who, entry.permissions) for entry in parse_acl(attribute(*entries))] == kept


@pytest.mark.parametrize("data", [b"", b"\x02\0\0", b"\x03\0\0\0", b"\x02\0\0\0" + b"\0" * 7])
def test_an_attribute_of_another_form_is_refused_with_its_bytes(data: bytes) -> None:
    with pytest.raises(ValueError, match="has a form that is not known"):
        parse_acl(data)


def test_a_file_without_a_list_has_none(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert read_acl(str(file)) == ()


def test_a_file_has_the_list_that_it_was_given(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("access control lists are written on Linux alone")
    file = tmp_path / "file"
    file.touch()
    rows = ((1, 6, NOBODY), (2, 6, 1001), (4, 0, NOBODY), (16, 6, NOBODY), (32, 0, NOBODY))
    try:
        os.setxattr(file, ATTRIBUTE, attribute(*rows))
    except OSError as error:
        pytest.skip(f"the file system of {tmp_path} keeps no ACLs: {error.strerror}")
    assert read_acl(str(file)) == (AclEntry("user", 1001, 6), AclEntry("group", None, 0), AclEntry("mask", None, 6))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_file_system_without_lists_is_told_from_a_file_without_one() -> None:
    assert read_acl("/proc/self/status") is None


@linux
def test_a_file_system_that_answers_with_no_list_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getxattr", lambda *_, **__: b"what a FUSE server likes", raising=False)
    with pytest.raises(OSError, match="has a form that is not known") as refused:
        read_acl("/srv/x")
    assert refused.value.errno == errno.EBADMSG
