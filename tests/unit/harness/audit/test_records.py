"""The audit system's records of one call are put together, as a kernel wrote them."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audit.records import Assembly, RecordedCall, unix_address
from harness.audit.rule import Watcher, rule, watcher
from harness.trace.calls import MACHINES, Machine

KEY = "harness-watch-7-0-64"
STAMP = "audit(1795971834.208:110): "
SYSCALL = (
    "arch=c000003e syscall=42 success=no exit=-13 a0=0 a1=7ffe415c4890 a2=7 a3=0 items=1 ppid=6020 pid=11113 "
    "auid=4294967295 uid=0 gid=0 euid=1001 suid=1001 fsuid=1001 egid=3001 sgid=3001 fsgid=3001 tty=(none) "
    'ses=4294967295 comm="python3.11" exe="/usr/bin/python3.11" key="harness-watch-7-0-64"'
)
PATH = (
    'item=0 name="/w/b" inode=1818 dev=00:28 mode=040773 ouid=1002 ogid=2002 rdev=00:00 nametype=NORMAL cap_fp=0 '
    "cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0"
)
REFUSED = [
    (1300, STAMP + SYSCALL),
    (1306, STAMP + "saddr=01002F772F6200"),
    (1307, STAMP + 'cwd="/"'),
    (1302, STAMP + PATH),
    (1327, STAMP + "proctitle=707974686F6E33"),
    (1320, STAMP),
]
CALL = RecordedCall(
    *(1795971834.208, 11113, 6020, 1001, 3001, "python3.11", 42, 13, "/w/b", "/"), (os.makedev(0, 0x28), 1818)
)


def assembled(records: list[tuple[int, str]], name: str = KEY) -> list[RecordedCall]:
    assembly = Assembly(name)
    return [call for record in records if (call := assembly.record(*record)) is not None]


def replaced(old: str, new: str) -> list[tuple[int, str]]:
    return [(kind, text.replace(old, new)) for kind, text in REFUSED]


def test_the_records_of_one_call_become_one_call() -> None:
    assert assembled(REFUSED) == [CALL]


def test_records_of_two_calls_may_come_mixed() -> None:
    other = replaced(":110)", ":111)")
    mixed = [record for pair in zip(REFUSED, other, strict=True) for record in pair]
    assert assembled(mixed) == [CALL, CALL]


def test_a_call_whose_end_was_lost_is_none() -> None:
    assert assembled(REFUSED[:-1]) == []


def test_a_call_counts_whichever_rule_had_it_recorded_first() -> None:
    assert assembled(replaced('key="harness-watch-7-0-64"', "key=(null)")) == [CALL]


def test_what_succeeded_and_what_is_no_unix_socket_is_not_meant() -> None:
    assert assembled(replaced("success=no exit=-13", "success=yes exit=0")) == []
    assert assembled(replaced("saddr=0100", "saddr=0200")) == []


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ("op=set audit_enabled=0 old=1 auid=4294967295 ses=4294967295 res=1", True),
        ("op=set audit_enabled=1 old=1 auid=4294967295 ses=4294967295 res=1", False),
        ('auid=4294967295 ses=4294967295 op=remove_rule key="harness-watch-7-0-64" list=4 res=1', True),
        ('auid=4294967295 ses=4294967295 op=remove_rule key="harness-watch-8-0-64" list=4 res=1', False),
        ('auid=4294967295 ses=4294967295 op=add_rule key="harness-watch-7-0-64" list=4 res=1', False),
    ],
)
def test_a_change_of_configuration_may_end_the_work(change: str, ends: bool) -> None:
    assert Assembly(KEY).ends(f"audit(1795971832.164:106): {change}") is ends


def test_the_file_is_not_known_where_the_way_ended_before_it() -> None:
    (call,) = assembled(replaced("inode=1818 dev=00:28 ", ""))
    assert call.file is None


def written(text: bytes) -> str:
    """A string as the kernel writes it (audit_log_untrustedstring, kernel/audit.c)."""
    plain = all(0x21 <= byte <= 0x7E and byte != ord('"') for byte in text)
    return f'"{text.decode("ascii")}"' if plain else text.hex().upper()


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_names_are_read_as_they_were_whatever_is_in_them(name: bytes) -> None:
    records = [
        (kind, text.replace('"python3.11"', written(name)).replace('cwd="/"', f"cwd={written(b'/' + name)}"))
        for kind, text in REFUSED
    ]
    (call,) = assembled(records)
    assert (call.program, call.cwd) == (os.fsdecode(name), os.fsdecode(b"/" + name))


@pytest.mark.parametrize(
    ("address", "path"),
    [(b"/w/b\0", "/w/b"), (b"b\0rest of the structure", "b"), (b"\0name\0", "@name\0"), (b"", None), (b"\0", "@")],
)
def test_an_address_is_a_path_until_its_first_zero_or_a_whole_abstract_name(address: bytes, path: str | None) -> None:
    assert unix_address(struct.pack("=H", 1) + address) == path


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_a_rule_says_whose_it_is_and_what_was_before(machine: Machine) -> None:
    we = Watcher(4711, 1, 8192)
    assert watcher(rule(machine, we.key)) == we


def test_the_rule_is_as_the_kernel_lays_it_out() -> None:
    made = rule(MACHINES["x86_64"], "k")
    words = struct.unpack_from("=260I", made)
    assert len(made) == 260 * 4 + 1
    assert words[:3] == (4, 2, 4)
    assert [number for number in range(2048) if words[3 + number // 32] >> number % 32 & 1] == [42, 44, 46, 307]
    assert words[67:71] == (11, 104, 113, 210)
    assert words[131:135] == (0xC000003E, 0, 1, 1)
    assert words[-1] == 1
    assert watcher(made) is None
