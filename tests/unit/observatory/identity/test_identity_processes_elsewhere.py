"""What macOS and FreeBSD tell of a process, read from the bytes that their kernels would give."""

from __future__ import annotations

import socket
import struct

import pytest

from observatory.identity import freebsd_process, macos, macos_process
from observatory.identity.layouts import FREEBSD_KINFO_PROC_64
from observatory.identity.process import ProcessDetails

SHELL = ProcessDetails(
    pid=4242,
    uid=501,
    comm="zsh",
    command=None,
    exe="/bin/zsh",
    parent=1,
    session=4242,
    cgroup=None,
    started=1_700_000_000_250_000,
)


def bsdinfo() -> bytes:
    """`struct proc_bsdinfo` of sys/proc_info.h, in the order of its members there."""
    numbers = (0, 2, 0, 4242, 1, 501, 20, 502, 20, 501, 20, 0)
    rest = (9, 4242, 1, 0, 4242, 0)
    return struct.pack("<12I16s32s5Ii2Q", *numbers, b"zsh", b"-zsh", *rest, 1_700_000_000, 250_000)


def kinfo() -> bytes:
    room = bytearray(FREEBSD_KINFO_PROC_64.size)
    for place, form, value in (
        (0, "<i", len(room)),
        (72, "<i", 4242),
        (76, "<i", 1),
        (88, "<i", 4242),
        (168, "<I", 501),
        (336, "<q", 1_700_000_000),
        (344, "<q", 250_000),
        (447, "4s", b"zsh\0"),
    ):
        struct.pack_into(form, room, place, value)
    return bytes(room)


def test_macos_tells_a_process_by_its_effective_uid_and_the_time_of_its_start() -> None:
    assert macos_process.parse(bsdinfo(), b"/bin/zsh", 4242, "little") == SHELL
    assert macos_process.parse(bsdinfo()[:-1], b"/bin/zsh", 4242, "little") is None


def test_freebsd_tells_the_same() -> None:
    assert freebsd_process.parse(kinfo(), b"/bin/zsh", "little") == SHELL
    assert freebsd_process.parse(b"", b"", "little") is None


def test_a_structure_of_another_version_is_not_read() -> None:
    assert freebsd_process.parse(b"\0\0\0\0" + kinfo()[4:], b"", "little") is None


@pytest.mark.parametrize("name", [b"\xff\xe2", b"0123456789abcdef"])
def test_a_name_may_be_any_bytes_and_fill_its_room(name: bytes) -> None:
    data = bsdinfo()
    read = macos_process.parse(data[:48] + name.ljust(16, b"\0") + data[64:], b"", 1, "little")
    assert read is not None
    assert (read.comm, read.exe) == (name.decode(errors="backslashreplace"), None)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="CPython has no Unix sockets there")
def test_a_token_has_its_pid_version_and_effective_uid_in_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []

    def ask(_sock: object, level: int, option: int, size: int) -> bytes:
        asked.append((level, option, size))
        return struct.pack("8I", 10, 11, 12, 13, 14, 15, 16, 17)

    monkeypatch.setattr(macos, "ask", ask)
    a, b = socket.socketpair()
    with a, b:
        assert macos.peer_token(a) == macos.Token(pid=15, version=17, uid=11)
        assert asked == [(0, 6, 32)]
        monkeypatch.setattr(macos, "ask", lambda *_: b"")
        assert macos.peer_token(a) is None
