from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.live.accounts import Account, SystemAccounts, accounts_below, parse_accounts
from harness.live.actor import ActorError, myself, numbers, user
from harness.world import Principal

ROOT = Principal(0, 0)


linux = pytest.mark.skipif(sys.platform != "linux", reason="what is looked at here is Linux's")


@linux
def test_the_users_of_another_root_are_those_of_its_files(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0::/root:/bin/sh\nali:x:1000:1000::/:/bin/sh\nbroken\nodd:x:one:2::/:/\n")
    (etc / "group").write_text("ali:x:1000:\ndocker:x:999:ali,bob\nweb:x:33:ali\nbad:x:n:\n")
    accounts = accounts_below(str(tmp_path), ROOT)
    assert accounts.user("ali") == Account("ali", 1000, 1000, (33, 999))
    assert accounts.user(0) == Account("root", 0, 0, ())
    assert accounts.user("odd") is None
    assert accounts.group(999) == "docker"
    assert accounts.gid("web") == 33
    assert accounts.gid("bad") is None


@linux
def test_a_root_without_these_files_has_nobody(tmp_path: Path) -> None:
    assert accounts_below(str(tmp_path), ROOT).user(0) is None


def test_a_user_of_this_machine_has_the_groups_of_a_new_login() -> None:
    own = pwd.getpwuid(os.getuid())
    account = SystemAccounts().user(own.pw_name)
    assert account is not None
    assert account.uid == own.pw_uid
    assert own.pw_gid not in account.groups


@pytest.mark.parametrize("name", ["no-such-user-at-all", "4294967294"])
def test_nobody_of_that_name_is_said_in_a_sentence(name: str) -> None:
    with pytest.raises(ActorError, match=f"no user of this machine is named {name}"):
        user(name)


def test_numbers_need_no_user() -> None:
    somebody = numbers(3_000_000, None, ["3000001", "root"])
    assert somebody.name == "uid-3000000"
    assert somebody.principal.gid == 3_000_000
    assert somebody.principal.groups == (0, 3_000_001)


@pytest.mark.parametrize(
    ("uid", "gid", "groups", "said"),
    [
        (-1, None, [], "-1 is not an id"),
        (1, 2**32 - 1, [], "4294967295 is not an id"),
        (1, 1, ["no-such-group"], "no group of this machine is named no-such-group"),
    ],
)
def test_a_number_that_is_no_id_is_refused(uid: int, gid: int | None, groups: list[str], said: str) -> None:
    with pytest.raises(ActorError, match=said):
        numbers(uid, gid, groups)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="/proc/PID/status is Linux's")
def test_this_process_is_who_it_is() -> None:
    me = myself()
    assert (me.principal.uid, me.principal.gid) == (os.geteuid(), os.getegid())
    assert set(me.principal.groups) == set(os.getgroups())
    assert me.root == "/"


def test_numbers_that_are_no_ids_name_nobody() -> None:
    passwd = b"huge:x:%b:1::/:/\nnone:x:4294967295:1::/:/\nlast:x:4294967294:1::/:/\nwide:x:\xef\xbc\x91:1::/:/\n" % (
        b"9" * 5000
    )
    accounts = parse_accounts(passwd, b"huge:x:99999999999:\nroot:x:0:\n")
    assert [user.name for user in accounts.users] == ["last"]
    assert accounts.groups == {"root": 0}


@given(st.lists(st.tuples(st.binary(min_size=1), st.integers(0, 2**32 - 2)), unique_by=lambda row: row[0]))
@example([(bytes(byte for byte in range(1, 256) if byte not in b"\n:"), 7)])
@example([(b"ali\rroot:x:0:0::/:/", 1000)])
def test_a_users_name_is_no_other_user_whatever_bytes_it_has(rows: list[tuple[bytes, int]]) -> None:
    rows = [(name.replace(b"\n", b"").replace(b":", b""), uid) for name, uid in rows]
    passwd = b"".join(b"%b:x:%d:5::/:/bin/sh\n" % row for row in rows)
    assert [(os.fsencode(user.name), user.uid) for user in parse_accounts(passwd, b"").users] == rows


@pytest.mark.skipif(not os.path.exists("/proc/self/comm"), reason="/proc/PID/comm is Linux's")
@pytest.mark.parametrize("start", range(1, 256, 15))
def test_the_kernel_tells_a_process_name_with_every_byte(start: int) -> None:
    """Asked of the kernel itself: whatever a process calls itself, that is its name, and nothing else is changed."""
    name = bytes(range(start, min(start + 15, 256)))
    before = myself()
    comm = Path("/proc/self/comm")
    own = comm.read_bytes().removesuffix(b"\n")
    comm.write_bytes(name)
    try:
        named = myself()
    finally:
        comm.write_bytes(own)
    assert named.process is not None
    assert os.fsencode(named.process.name) == name
    assert named.principal == before.principal
