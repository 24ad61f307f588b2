"""Access ACLs in the kernel's own form."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from harness.inside.agent.acl import encoded
from harness.inside.rows import AclRow


def test_an_acl_has_the_bytes_that_setfacl_would_have_set() -> None:
    """user::rw-, user:1001:rw-, group::r--, mask::rw-, other::--- as getxattr(2) gave them after setfacl(1)."""
    entries = [
        AclRow("other", None, 0),
        AclRow("owner", None, 6),
        AclRow("mask", None, 6),
        AclRow("user", 1001, 6),
        AclRow("owning group", None, 4),
    ]
    assert encoded(entries).hex() == (
        "0200000001000600ffffffff02000600e903000004000400ffffffff10000600ffffffff20000000ffffffff"
    )


@given(st.dictionaries(st.integers(0, 2**32 - 2), st.integers(0, 7)))
def test_named_entries_are_sorted_as_the_kernel_wants_them(named: dict[int, int]) -> None:
    entries = [AclRow("other", None, 0), *(AclRow("user", who, bits) for who, bits in named.items())]
    whole = encoded([*entries, AclRow("owner", None, 7)])
    rows = [struct.unpack_from("<HHI", whole, offset) for offset in range(4, len(whole), 8)]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[2] for row in rows[1:-1]] == sorted(named)
