"""The socket's file: how it is made, what it may replace, and what is left of it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.listening import (
    Specification,
    group_number,
    listen,
    parse_mode,
    serving_lock,
    socket_file,
    starting_lock,
)
from tests.helpers.dead_socket import leave_dead_socket
from tests.helpers.directories import short_directory
from tests.helpers.own_process import umask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RELATIVE = """
import os
from observatory.listening import Specification, listen
listener = listen(Specification("s"))
assert [name for name in os.listdir(".") if name != ".s.serving"] == ["s"]
listener.remove()
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="fchmod() before bind() sets the mode on Linux only")


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@contextmanager
def listening(path: Path | str, mode: int = 0o660, group: int | None = None) -> Iterator[socket_file.Listener]:
    listener = listen(Specification(str(path), mode, group))
    try:
        yield listener
    finally:
        listener.remove()
        listener.sock.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o220, 0o440, 0o606, 0o066, 0o000, 0o777])
def test_the_mode_is_the_one_asked_for_whatever_the_umask(directory: Path, mode: int, mask: int) -> None:
    with umask(mask), listening(directory / "s", mode) as listener:
        assert mode_of(directory / "s") == mode == listener.mode
        assert stat.S_ISSOCK(os.lstat(directory / "s").st_mode)


def test_the_umask_of_the_process_is_left_alone_while_it_starts(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_mask: int) -> int:
        raise AssertionError("the umask is the whole process's, and other threads make files by it")

    monkeypatch.setattr(os, "umask", forbidden)
    with listening(directory / "s"):
        pass


@linux
def test_at_no_step_is_the_file_open_to_anyone_whom_the_finished_one_keeps_out(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, group = directory / "s", 12345 if os.geteuid() == 0 else os.getegid()
    seen: list[tuple[str, int, bool]] = []

    class Watched(socket.socket):
        def bind(self, address: object) -> None:
            super().bind(address)  # type: ignore[arg-type]
            seen.append(("bind", mode_of(path), connects(path)))

        def listen(self, backlog: int = 1) -> None:
            seen.append(("before listen", mode_of(path), connects(path)))
            super().listen(backlog)

    chown = os.chown

    def watched_chown(*arguments: object, **options: object) -> None:
        seen.append(("before chown", mode_of(path), connects(path)))
        chown(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "socket", Watched)
    monkeypatch.setattr(os, "chown", watched_chown)
    with umask(0):
        listener = listen(Specification(str(path), 0o620, group))
    monkeypatch.undo()
    assert seen == [("bind", 0, False), ("before chown", 0, False), ("before listen", 0o620, False)]
    assert (mode_of(path), os.lstat(path).st_gid, connects(path)) == (0o620, group, True)
    listener.remove()
    listener.sock.close()


@pytest.mark.parametrize("mode", [0o660, 0o066, 0o000, 0o440])
def test_what_a_dead_server_left_is_replaced(directory: Path, mode: int) -> None:
    before = leave_dead_socket(directory / "s", mode)
    with listening(directory / "s"):
        assert os.lstat(directory / "s").st_ino != before.st_ino or connects(directory / "s")
        assert connects(directory / "s")


def test_a_live_server_is_not_taken_over_and_not_touched(directory: Path) -> None:
    with listening(directory / "s", 0o640):
        before = os.lstat(directory / "s")
        with pytest.raises(ObservatoryError, match="already listens"):
            listen(Specification(str(directory / "s"), 0o666))
        after = os.lstat(directory / "s")
        assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)
        assert connects(directory / "s")


def test_a_live_server_with_so_many_waiting_that_no_more_fit_is_not_taken_over(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(directory / "s"))
        server.listen(0)
        waiting = []
        full = None
        while full is None:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            full = waiting[-1].connect_ex(str(directory / "s")) or None
        assert full == (errno.EAGAIN if sys.platform == "linux" else errno.ECONNREFUSED)
        says = "already listens" if sys.platform == "linux" else "cannot tell whether a server lives"
        with pytest.raises(ObservatoryError, match=says):
            listen(Specification(str(directory / "s")))
        assert (directory / "s").is_socket()
        for client in waiting:
            client.close()


def test_a_server_of_another_kind_is_not_taken_over(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(directory / "s"))
        with pytest.raises(ObservatoryError, match="cannot tell whether a server lives"):
            listen(Specification(str(directory / "s")))
        assert (directory / "s").is_socket()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_text("precious"), "taken by a regular file"),
        (lambda path: path.mkdir(), "taken by a directory"),
        (os.mkfifo, "taken by something that is not a socket"),
        (lambda path: path.symlink_to("victim"), "taken by a symbolic link"),
    ],
)
def test_what_is_no_socket_is_left_alone(directory: Path, make: Callable[[Path], object], says: str) -> None:
    (directory / "victim").write_text("precious")
    make(directory / "s")
    before = os.lstat(directory / "s")
    with pytest.raises(ObservatoryError, match=says):
        listen(Specification(str(directory / "s")))
    assert os.lstat(directory / "s") == before
    assert (directory / "victim").read_text() == "precious"


def test_a_symbolic_link_to_a_dead_socket_is_not_followed(directory: Path) -> None:
    before = leave_dead_socket(directory / "victim")
    (directory / "s").symlink_to("victim")
    with pytest.raises(ObservatoryError, match="symbolic link"):
        listen(Specification(str(directory / "s")))
    assert os.lstat(directory / "victim") == before


def test_a_dangling_symbolic_link_is_not_followed_to_make_a_socket_elsewhere(directory: Path) -> None:
    (directory / "s").symlink_to("elsewhere")
    with pytest.raises(ObservatoryError, match="symbolic link"):
        listen(Specification(str(directory / "s")))
    assert not (directory / "elsewhere").exists()


def test_a_dead_socket_is_not_replaced_where_there_is_no_place_for_a_lock(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = leave_dead_socket(directory / "s")
    for module in (starting_lock, serving_lock):
        monkeypatch.setattr(module, "lock_file", lambda _path: None)
    with pytest.raises(ObservatoryError, match="no place for a lock"):
        listen(Specification(str(directory / "s")))
    assert os.lstat(directory / "s") == before
    with listening(directory / "free"):
        assert connects(directory / "free")


def test_a_dead_socket_is_replaced_whoever_has_locked_the_directory(directory: Path) -> None:
    leave_dead_socket(directory / "s")
    descriptor = os.open(directory, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with listening(directory / "s"):
            assert connects(directory / "s")
    finally:
        os.close(descriptor)


def test_no_lock_is_left_behind_by_a_start(directory: Path) -> None:
    with listening(directory / "s"):
        kept = [".s.serving"] if serving_lock.NEEDED else []
        assert sorted(file.name for file in directory.iterdir()) == [*kept, "s"]


def test_at_the_end_the_name_is_gone_and_nothing_else(directory: Path) -> None:
    with listening(directory / "s"):
        (directory / "other").touch()
    assert [file.name for file in directory.iterdir()] == ["other"]


@pytest.mark.parametrize(
    "put", [lambda path: path.write_text("precious"), leave_dead_socket, lambda path: path.mkdir()]
)
def test_what_has_taken_the_name_meanwhile_is_not_removed(directory: Path, put: Callable[[Path], object]) -> None:
    with listening(directory / "s"):
        (directory / "s").unlink()
        put(directory / "s")
        before = os.lstat(directory / "s")
    assert os.lstat(directory / "s") == before


def test_a_name_that_has_gone_is_no_fault(directory: Path) -> None:
    with listening(directory / "s"):
        (directory / "s").unlink()
    assert list(directory.iterdir()) == []


def test_when_it_cannot_be_finished_nothing_is_left(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refused)
    with pytest.raises(ObservatoryError, match="group 7") as raised:
        listen(Specification(str(directory / "s"), group=7))
    assert raised.value.status == 77
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "says", "status"),
    [
        ("nowhere/s", "the directory .*/nowhere does not exist", 1),
        ("file/s", "/file is not a directory", 1),
        ("x" * 108, "has [0-9]+ bytes", 2),
    ],
)
def test_a_path_where_there_can_be_no_socket_is_explained(directory: Path, path: str, says: str, status: int) -> None:
    (directory / "file").touch()
    with pytest.raises(ObservatoryError, match=says) as raised:
        listen(Specification(str(directory / path)))
    assert raised.value.status == status


@pytest.mark.parametrize("path", ["", "\0abstract", "a\0b"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ObservatoryError, match="empty or has a null byte") as raised:
        listen(Specification(path))
    assert raised.value.status == 2


def test_the_longest_path_that_the_kernel_takes_is_taken(directory: Path) -> None:
    longest = 107 if sys.platform == "linux" else 103
    path = f"{directory}/".ljust(longest, "x")
    with listening(path):
        assert connects(Path(path))


def test_a_relative_path_is_served_where_the_process_was_started(directory: Path) -> None:
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            _RELATIVE,
        ],
        cwd=directory,
        check=False,
    )
    assert child.returncode == 0
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode"), [("0", 0), ("7", 7), ("60", 0o60), ("660", 0o660), ("0660", 0o660), ("0777", 0o777)]
)
def test_a_mode_is_one_to_four_octal_digits(text: str, mode: int) -> None:
    assert parse_mode(text) == mode


@pytest.mark.parametrize("text", ["4660", "2660", "1660", "7777"])
def test_setuid_setgid_and_sticky_are_refused_for_what_they_are(text: str) -> None:
    with pytest.raises(ValueError, match="setuid, setgid or sticky"):
        parse_mode(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "888",
        "0o660",
        "-660",
        "+660",
        " 660",
        "660 ",
        "00660",
        "0x1b0",
        "rw",
        "\u0666\u0666\u0660",
        "6_6_0",
        "660\n",
    ],
)
def test_whatever_else_a_mode_could_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not one to four octal digits"):
        parse_mode(text)


def test_a_group_is_a_name_or_a_number() -> None:
    import grp

    one = grp.getgrall()[0]
    assert group_number(one.gr_name) == one.gr_gid
    assert group_number("4242424242") == 4242424242
    for wrong, says in [("no such group", "no group named"), ("4294967295", "not a gid"), ("-1", "no group named")]:
        with pytest.raises(ValueError, match=says):
            group_number(wrong)
