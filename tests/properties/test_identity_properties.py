"""Whatever bytes a kernel writes, they are read as its header says, and never as somebody whom it did not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.identity import freebsd, macos, netbsd, openbsd
from observatory.identity.layouts import Field, Layout, parse
from observatory.identity.process import parse_cgroup, parse_stat, parse_uid

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.identity import PeerCredentials
    from observatory.identity.layouts import ByteOrder

orders = st.sampled_from(["little", "big"])
ids = st.integers(0, 2**32 - 1)
pids = st.integers(-(2**31), 2**31 - 1)


def known(number: int) -> int | None:
    return None if number == 2**32 - 1 else number


def process(number: int) -> int | None:
    return number if number > 0 else None


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any structure of aligned integers and arrays with padding anywhere."""
    at, fields = 0, []
    for index in range(draw(st.integers(1, 6))):
        size = draw(st.sampled_from([1, 2, 4, 8]))
        at += -at % size + size * draw(st.integers(0, 2))
        count = draw(st.integers(1, 4))
        fields.append(Field(f"f{index}", at, size, draw(st.booleans()), count))
        at += size * count
    return Layout("struct any", "any.h", at + draw(st.integers(0, 8)), tuple(fields))


@given(layout=layouts(), order=orders, data=st.data())
def test_every_member_is_read_from_its_own_offset(layout: Layout, order: ByteOrder, data: st.DataObject) -> None:
    written = {}
    answer = bytearray(data.draw(st.binary(min_size=layout.size, max_size=layout.size)))
    for field in layout.fields:
        bits = 8 * field.size
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if field.signed else (0, 2**bits - 1)
        values = data.draw(st.lists(st.integers(low, high), min_size=field.count, max_size=field.count))
        written[field.name] = tuple(values)
        raw = b"".join(value.to_bytes(field.size, order, signed=field.signed) for value in values)
        answer[field.offset : field.offset + len(raw)] = raw

    assert parse(layout, bytes(answer), order) == written


@given(layout=layouts(), order=orders, length=st.integers(0, 300))
def test_an_answer_of_another_length_is_not_read_at_all(layout: Layout, order: ByteOrder, length: int) -> None:
    if length != layout.size:
        assert parse(layout, bytes(length), order) is None


@given(pid=pids, uid=ids, gid=ids, order=orders)
def test_openbsd_and_netbsd_say_what_was_written(pid: int, uid: int, gid: int, order: ByteOrder) -> None:
    three = {
        "pid": pid.to_bytes(4, order, signed=True),
        "uid": uid.to_bytes(4, order),
        "gid": gid.to_bytes(4, order),
    }
    for seen in (
        openbsd.parse(three["uid"] + three["gid"] + three["pid"], order),
        netbsd.parse(three["pid"] + three["uid"] + three["gid"], order),
    ):
        assert (seen.pid, seen.uid, seen.gid, seen.groups) == (process(pid), known(uid), known(gid), None)


@given(pid=pids, uid=ids, groups=st.lists(ids, min_size=1, max_size=16), pointer=st.sampled_from([4, 8]), order=orders)
def test_xucred_says_what_was_written(pid: int, uid: int, groups: list[int], pointer: int, order: ByteOrder) -> None:
    head = bytes(4) + uid.to_bytes(4, order) + len(groups).to_bytes(2, order) + b"\xa5\xa5"
    array = b"".join(group.to_bytes(4, order) for group in groups).ljust(64, b"\xa5")
    number = pid.to_bytes(4, order, signed=True)
    tail = number if pointer == 4 else b"\xa5" * 4 + number + b"\xa5" * 4
    complete = tuple(groups[1:]) if len(groups) < 16 else None

    bsd = freebsd.parse(head + array + tail, pointer, order)
    assert (bsd.pid, bsd.uid, bsd.gid, bsd.groups) == (process(pid), known(uid), known(groups[0]), complete)
    mac = macos.parse(head + array, number, order)
    assert (mac.pid, mac.uid, mac.gid, mac.groups) == (process(pid), known(uid), known(groups[0]), complete)


@given(
    data=st.binary(max_size=100)
    | st.sampled_from([12, 76, 80, 88]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    order=orders,
)
@pytest.mark.parametrize(
    "read",
    [
        openbsd.parse,
        netbsd.parse,
        lambda data, order: macos.parse(data, data[:4], order),
        lambda data, order: freebsd.parse(data, 8, order),
        lambda data, order: freebsd.parse(data, 4, order),
    ],
    ids=["openbsd", "netbsd", "macos", "freebsd 64", "freebsd 32"],
)
def test_no_bytes_make_an_impossible_somebody(
    read: Callable[[bytes, ByteOrder], PeerCredentials], data: bytes, order: ByteOrder
) -> None:
    seen = read(data, order)

    for number in (seen.uid, seen.gid):
        assert number is None or 0 <= number < 2**32 - 1
    assert seen.pid is None or seen.pid > 0


@given(
    comm=st.binary(max_size=15).filter(lambda comm: b"\0" not in comm),
    parent=st.integers(0, 2**22),
    session=st.integers(0, 2**22),
    started=st.integers(0, 2**63),
)
def test_no_name_that_a_process_takes_changes_what_proc_says_of_it(
    comm: bytes, parent: int, session: int, started: int
) -> None:
    after = [b"S", b"%d" % parent, b"1", b"%d" % session, *[b"7"] * 15, b"%d" % started, *[b"0"] * 30]
    text = b"4711 (" + comm + b") " + b" ".join(after) + b"\n"

    assert parse_stat(text) == (comm, parent, session, started)


@given(text=st.binary(max_size=200))
def test_no_text_in_proc_is_a_crash(text: bytes) -> None:
    parse_cgroup(text)
    try:
        parse_stat(text)
    except ValueError as error:
        assert error.args  # noqa: PT017 - either it is understood or it is refused with words


NAMES_OF_CGROUPS = st.binary(min_size=1, max_size=40).filter(lambda name: b"\n" not in name)


@given(st.lists(NAMES_OF_CGROUPS, min_size=1, max_size=3), st.booleans())
def test_a_cgroup_is_where_the_kernel_says_whatever_it_is_called(names: list[bytes], unified: bool) -> None:
    path = b"/" + b"/".join(names)
    text = b"12:cpu,cpuacct:/x\n1:name=systemd:" + (b"/old\n0::" if unified else b"") + path + b"\n"
    assert parse_cgroup(text) == path.decode(errors="backslashreplace")


@pytest.mark.parametrize("end", [b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\r0::/forged"])
def test_no_byte_but_a_newline_ends_a_line_of_the_kernel_s(end: bytes) -> None:
    assert parse_cgroup(b"0::/true" + end + b"\n") == (b"/true" + end).decode(errors="backslashreplace")


@given(st.binary(max_size=15), st.integers(0, 2**32 - 1))
def test_a_uid_is_the_kernel_s_whatever_the_process_is_called(comm: bytes, uid: int) -> None:
    shown = comm.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")  # fs/proc/array.c, proc_task_name
    text = b"Name:\t%b\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t1\t%d\t3\t4\nGid:\t5\t6\t7\t8\n"
    assert parse_uid(text % (shown, uid)) == uid


def test_what_names_no_uid_is_no_status() -> None:
    with pytest.raises(ValueError, match="status"):
        parse_uid(b"Name:\tx\n")
