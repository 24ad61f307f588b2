"""What the kernel says of names that others chose: whatever bytes are in them, they say nothing else."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.inside.sock_diag import (
    NLMSG_DONE,
    NLMSG_ERROR,
    SOCK_DIAG_BY_FAMILY,
    TCP_LISTEN,
    UNIX_DIAG_NAME,
    UNIX_DIAG_RQLEN,
    UNIX_DIAG_UID,
    UNIX_DIAG_VFS,
    Answer,
    MalformedError,
    UnixSocket,
    dump_request,
    parse,
)
from harness.live.kernel_text import lines_of, unescaped_name, unescaped_path
from harness.live.mounts import MountPoint, device_number, parse_mounts
from harness.live.process import parse_status

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERY_BYTE = bytes(range(1, 256))
SEPARATORS = (b"\n", b"\r", b"\r\n", b"\v", b"\f", b"\x1c", b"\x1d", b"\x1e", b"\xc2\x85", b"\xe2\x80\xa8")
"""What `str.splitlines()` takes for the end of a line."""

names = st.one_of(
    st.binary(min_size=1).map(lambda name: name.replace(b"\0", b"x")),
    st.lists(st.sampled_from([*SEPARATORS, b"Uid:\t0", b" ", b"\\", b"\\n", b"\\040", b"a", b"/"]), min_size=1).map(
        b"".join
    ),
)
words = st.integers(0, 2**32 - 1)


def escaped(name: bytes, special: bytes) -> bytes:
    """As mangle_path() in fs/seq_file.c writes a path."""
    return b"".join(b"\\%03o" % byte if byte in special else bytes([byte]) for byte in name)


def escaped_comm(name: bytes) -> bytes:
    """As proc_task_name() in fs/proc/array.c writes a process's name."""
    return name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")


@given(names)
@example(EVERY_BYTE)
def test_a_path_is_read_as_the_bytes_that_it_has(name: bytes) -> None:
    assert os.fsencode(unescaped_path(escaped(name, b" \t\n\\"))) == name


@given(names)
@example(EVERY_BYTE)
def test_a_process_name_is_read_as_the_bytes_that_it_has(name: bytes) -> None:
    assert os.fsencode(unescaped_name(escaped_comm(name))) == name


@given(st.lists(names.map(lambda name: name.replace(b"\n", b"x"))))
def test_a_line_ends_where_the_kernel_ended_it_and_nowhere_else(lines: list[bytes]) -> None:
    assert lines_of(b"".join(line + b"\n" for line in lines)) == lines


@given(
    st.lists(st.tuples(names, st.booleans(), st.integers(1, 2**31), st.integers(0, 4095), st.integers(0, 2**20 - 1)))
)
@example([(b"/" + EVERY_BYTE, True, 7, 8, 9)])
def test_each_mount_is_one_mount_whatever_its_path(mounts: list[tuple[bytes, bool, int, int, int]]) -> None:
    text = b"".join(
        b"%d 1 %d:%d / %b %b shared:1 - tmpfs %b rw\n"
        % (number, major, minor, escaped(path, b" \t\n\\"), b"ro" if frozen else b"rw", escaped(path, b" \t\n\\#"))
        for path, frozen, number, major, minor in mounts
    )
    assert parse_mounts(lines_of(text)) == tuple(
        MountPoint(
            os.fsdecode(path),
            "tmpfs",
            ("ro",) if frozen else (),
            number,
            device_number(major, minor),
            source=os.fsdecode(path),
            settings=("rw",),
        )
        for path, frozen, number, major, minor in mounts
    )


@given(names, words, words, st.lists(words))
@example(EVERY_BYTE, 1000, 1000, [27])
@example(b"x\rUid:\t0\t0\t0\t0", 1000, 1000, [])
def test_no_name_of_a_process_gives_it_another_uid(name: bytes, uid: int, gid: int, groups: list[int]) -> None:
    text = (
        b"Name:\t%b\nUmask:\t0022\nUid:\t9\t9\t9\t%d\nGid:\t9\t9\t9\t%d\nGroups:\t%b \nCapEff:\t0000000000000000\n"
        % (
            escaped_comm(name),
            uid,
            gid,
            b" ".join(b"%d" % group for group in groups),
        )
    )
    told, principal = parse_status(lines_of(text))
    assert os.fsencode(told) == name
    assert (principal.uid, principal.gid, principal.groups) == (uid, gid, tuple(sorted(groups)))


def attribute(kind: int, value: bytes) -> bytes:
    """A struct nlattr with its value."""
    return padded(struct.pack("=HH", 4 + len(value), kind) + value)


def message(kind: int, body: bytes, sequence: int = 1, flags: int = 2) -> bytes:
    """A struct nlmsghdr with its content."""
    return padded(struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def told(one: UnixSocket, unknown: Iterable[tuple[int, bytes]] = ()) -> bytes:
    """The message in which the kernel tells of a socket; `unknown` are attributes that newer kernels may add."""
    body = struct.pack("=BBBBIII", socket.AF_UNIX, one.type, one.state, 0, one.inode, 5, 6)
    for kind, value in unknown:
        body += attribute(kind, value)
    if one.name is not None:
        body += attribute(UNIX_DIAG_NAME, one.name)
    if one.file is not None:
        device, inode = one.file
        body += attribute(UNIX_DIAG_VFS, struct.pack("=II", inode, device))
    if one.waiting is not None and one.room is not None:
        body += attribute(UNIX_DIAG_RQLEN, struct.pack("=II", one.waiting, one.room))
    if one.uid is not None:
        body += attribute(UNIX_DIAG_UID, struct.pack("=I", one.uid))
    return message(SOCK_DIAG_BY_FAMILY, body)


types, bound = st.integers(0, 255), (words, st.none() | st.binary(min_size=1, max_size=108))
files, uids = st.none() | st.tuples(words, words), st.none() | words
unix_sockets = st.builds(UnixSocket, types, st.just(TCP_LISTEN), *bound, files, words, words, uids) | st.builds(
    UnixSocket, types, st.sampled_from([1, 7]), *bound, files, st.none(), st.none(), uids
)


@given(st.lists(unix_sockets), st.lists(st.tuples(st.integers(20, 0x3FFF), st.binary())))
@example([UnixSocket(1, 7, 1, b"\0" + EVERY_BYTE[:107]), UnixSocket(1, 7, 1, b"\0" + EVERY_BYTE[107:214])], [])
def test_every_socket_is_told_with_every_byte_of_its_name(
    sockets: list[UnixSocket], unknown: list[tuple[int, bytes]]
) -> None:
    datagram = b"".join(told(one, unknown) for one in sockets)
    assert parse(datagram, 1) == Answer(tuple(sockets))
    assert parse(datagram + message(NLMSG_DONE, b"\0\0\0\0"), 1) == Answer(tuple(sockets), done=True)


@given(st.binary(max_size=107))
def test_an_abstract_name_is_all_that_follows_the_nul(name: bytes) -> None:
    assert UnixSocket(1, 7, 1, b"\0" + name).abstract == name
    assert UnixSocket(1, 7, 1, b"/" + name).abstract is None


@given(st.lists(unix_sockets, min_size=1), st.data())
def test_an_answer_that_was_cut_is_no_shorter_answer(sockets: list[UnixSocket], data: st.DataObject) -> None:
    messages = [told(one) for one in sockets]
    whole = b"".join(messages)
    between = [sum(map(len, messages[:count])) for count in range(len(messages))]
    end = data.draw(st.integers(1, len(whole) - 4).filter(lambda end: end not in between))
    with pytest.raises(MalformedError):
        parse(whole[:end], 1)


@given(st.binary())
def test_bytes_that_are_no_answer_are_refused_as_such(data: bytes) -> None:
    try:
        answer = parse(data, 1)
    except MalformedError:
        return
    assert len(answer.sockets) * 16 <= len(data)


@given(st.integers(1, 133))
def test_what_went_wrong_is_told_by_its_number(error: int) -> None:
    body = struct.pack("=i", -error)
    assert parse(message(NLMSG_ERROR, body), 1) == parse(message(NLMSG_DONE, body), 1) == Answer((), True, error)
    assert parse(message(NLMSG_DONE, b""), 1) == Answer((), done=True)


def test_an_answer_to_another_question_or_of_another_kind_is_refused() -> None:
    one = told(UnixSocket(1, 7, 1))
    with pytest.raises(MalformedError, match="does not answer"):
        parse(one, 2)
    with pytest.raises(MalformedError, match="none of sock_diag's"):
        parse(message(99, b""), 1)
    with pytest.raises(MalformedError, match="family 2"):
        parse(message(SOCK_DIAG_BY_FAMILY, struct.pack("=BBBBIII", socket.AF_INET, 1, 7, 0, 1, 5, 6)), 1)


def test_an_answer_over_which_something_changed_is_not_complete() -> None:
    assert not parse(message(SOCK_DIAG_BY_FAMILY, struct.pack("=BBBBIII", 1, 1, 7, 0, 1, 5, 6), flags=0x12), 1).complete


@given(words)
def test_the_request_asks_for_all_unix_sockets_with_name_file_queue_and_owner(sequence: int) -> None:
    length, kind, flags, number, port, *request = struct.unpack("=IHHIIBBHIIIII", dump_request(sequence))
    assert (length, kind, flags, number, port) == (40, SOCK_DIAG_BY_FAMILY, 0x301, sequence, 0)
    assert request == [socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, 0x53, 0, 0]
