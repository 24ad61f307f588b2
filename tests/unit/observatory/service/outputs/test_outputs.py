"""Events besides the database: no reader holds up the writer, and what's missed is said."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.audience import Audience
from observatory.listening import Specification, listen
from observatory.service.loop import Loop
from observatory.service.outputs import output_socket
from observatory.service.outputs.output_socket import SocketOutput
from observatory.service.outputs.standard_output import DescriptorOutput, json_lines, leads_nowhere
from observatory.service.quota import Accounts
from tests.helpers.deadline import PATIENCE
from tests.helpers.directories import short_directory
from tests.helpers.events import event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def log() -> list[str]:
    return []


def read_all(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    found = b""
    try:
        while piece := os.read(descriptor, 1 << 20):
            found += piece
    except BlockingIOError:
        pass
    return found


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    open_ = [reading, writing]
    try:
        yield reading, writing
    finally:
        for descriptor in open_:
            try:
                os.close(descriptor)
            except OSError:
                continue  # a test has closed it


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    import tty

    reading, writing = os.openpty()
    tty.setraw(writing)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def sockets() -> Iterator[tuple[int, int]]:
    reading, writing = socket.socketpair()
    with reading, writing:
        yield reading.fileno(), writing.fileno()


@contextmanager
def pipe_of_another() -> Iterator[tuple[int, int]]:
    """One that can't be opened anew, as after su(1): a process of its own writes there."""
    with pytest.MonkeyPatch.context() as patched, pipe() as ends:
        real = os.open

        def refused(path: str, flags: int, *rest: int) -> int:
            if str(path).startswith("/proc/self/fd/"):
                raise PermissionError(13, "Permission denied")
            return real(path, flags, *rest)

        patched.setattr(os, "open", refused)
        yield ends


# That this process has threads (of pytest-xdist) does not matter here, where the copy writes lines and nothing else.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
KINDS = [pipe, pipe_of_another, terminal, sockets]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_keeps_up_gets_every_line_in_order(
    loop: Loop, log: list[str], kind: Callable[[], AbstractContextManager[tuple[int, int]]]
) -> None:
    with kind() as (reading, writing):
        out = DescriptorOutput(loop, writing, log.append)
        found = b""
        for number in range(1, 50):
            out.publish([event(number, 1000)])
            loop.turn(0)
            found += read_all(reading)
        while found.count(b"\n") < 49:
            loop.turn(0)
            found += read_all(reading)
        assert found == json_lines([event(number, 1000) for number in range(1, 50)])
        out.finish(10)
        assert log == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_stands_still_holds_up_nobody_and_gets_what_it_missed_said(
    loop: Loop, log: list[str], kind: Callable[[], AbstractContextManager[tuple[int, int]]]
) -> None:
    with kind() as (reading, writing):
        out = DescriptorOutput(loop, writing, log.append, limit=200_000)
        for number in range(1, 2001):  # twenty times more than the limit, and than any pipe holds
            out.publish([event(number, 2000)])
            loop.turn(0)
        found = b""
        while not log:
            found += read_all(reading)
            loop.turn(0)
        out.publish([event(2001)])
        while not found.endswith(json_lines([event(2001)])):
            found += read_all(reading)
            loop.turn(0)
        lines = found.splitlines(keepends=True)
        got = len(lines) - 1
        assert 0 < got < 2000
        assert b"".join(lines[:got]) == json_lines([event(number, 2000) for number in range(1, got + 1)])
        assert log == [f"standard output missed the events {got + 1} to 2000 of the database"]
        out.finish(0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_flags_of_a_descriptor_that_others_share_are_left_alone(
    loop: Loop, log: list[str], kind: Callable[[], AbstractContextManager[tuple[int, int]]]
) -> None:
    with kind() as (_, writing):
        out = DescriptorOutput(loop, writing, log.append)
        out.publish([event(1)])
        assert os.get_blocking(writing)
        out.finish(0)


def test_a_reader_that_has_gone_ends_the_writing_and_nothing_else(loop: Loop, log: list[str]) -> None:
    with pipe() as (reading, writing):
        out = DescriptorOutput(loop, writing, log.append)
        os.close(reading)
        while not log:  # where a process of its own writes, it has to find out first
            out.publish([event(1)])
            loop.turn(0)
        out.publish([event(2)])
        out.finish(5)
        assert log == ["standard output is closed (Broken pipe): events go to the database only"]


def test_a_reader_that_goes_while_something_waits_ends_the_writing_too(loop: Loop, log: list[str]) -> None:
    with pipe() as (reading, writing):
        out = DescriptorOutput(loop, writing, log.append)
        out.publish([event(1, 1_000_000)])
        os.close(reading)
        while not log:
            loop.turn(0)
            out.publish([event(2)])
        out.finish(0)
        assert log == ["standard output is closed (Broken pipe): events go to the database only"]


def test_a_file_is_appended_to_where_it_stands(loop: Loop, log: list[str], tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.write(b"before\n")
        file.flush()
        DescriptorOutput(loop, file.fileno(), log.append).publish([event(1, 5_000_000)])
    assert (tmp_path / "log").read_bytes() == b"before\n" + json_lines([event(1, 5_000_000)])


def test_a_full_disk_tears_one_line_at_most_and_what_was_missed_is_said(
    loop: Loop, log: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 100
    write = os.write

    def on_a_small_disk(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[:room])
        room -= written
        return written

    with (tmp_path / "log").open("wb") as file:
        out = DescriptorOutput(loop, file.fileno(), log.append)
        monkeypatch.setattr(os, "write", on_a_small_disk)
        out.publish([event(1, 50)])
        out.publish([event(2, 50)])
        out.publish([event(3, 50)])
        room = 10_000
        out.publish([event(4, 50)])
        out.publish([event(5, 50)])
        monkeypatch.undo()
        out.finish(0)
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert [lines[0], *lines[2:]] == [event(n, 50).line for n in (1, 4, 5)]
    assert event(2, 50).line.startswith(lines[1])
    assert log == [
        "cannot write on standard output: No space left on device; events go to the database only",
        "standard output missed the events 2 to 3 of the database",
    ]


def test_the_null_device_is_known_for_what_it_is(tmp_path: Path) -> None:
    with open(os.devnull, "wb") as null, (tmp_path / "file").open("wb") as file, pipe() as (_, writing):  # noqa: PTH123
        assert [leads_nowhere(each) for each in (null.fileno(), file.fileno(), writing)] == [True, False, False]
    with open("/dev/zero", "wb") as zero:  # noqa: PTH123 - another device
        assert not leads_nowhere(zero.fileno())


def test_at_the_end_a_reader_gets_time_for_what_waits(loop: Loop, log: list[str]) -> None:
    with pipe() as (reading, writing):
        out = DescriptorOutput(loop, writing, log.append)
        out.publish([event(1, 100_000)])
        found = b""
        while len(found) < 50_000:  # the rest has room in the pipe
            loop.turn(0)
            found += read_all(reading)
        out.finish(5)
        found += read_all(reading)
        assert found == json_lines([event(1, 100_000)])
        assert log == []


def test_at_the_end_a_reader_that_stands_still_is_not_waited_for_any_longer(loop: Loop, log: list[str]) -> None:
    with pipe() as (_, writing):
        out = DescriptorOutput(loop, writing, log.append)
        out.publish([event(1, 1_000_000)])
        out.finish(0.01)
        assert log == ["the reader of standard output did not take everything: the rest is in the database"]


@pytest.fixture
def readers_path() -> Iterator[str]:
    with short_directory() as directory:
        yield f"{directory}/out"


@contextmanager
def readers(loop: Loop, path: str, audience: Audience, log: list[str]) -> Iterator[SocketOutput]:
    listener = listen(Specification(path))
    out = SocketOutput(loop, listener, audience, Accounts(), log.append)
    try:
        yield out
    finally:
        out.finish(0)
        listener.sock.close()


def connected(loop: Loop, path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.settimeout(PATIENCE)
    loop.turn(5)
    return client


ME = os.geteuid()


def test_who_has_connected_before_an_event_was_said_gets_it_though_nobody_has_looked_since(
    loop: Loop, log: list[str], readers_path: str
) -> None:
    with readers(loop, readers_path, Audience(ME), log) as out, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
        for client in clients:
            client.connect(readers_path)
            client.settimeout(PATIENCE)
        out.publish([event(1)])
        assert [client.recv(1000) for client in clients] == [json_lines([event(1)])] * 3


def test_everyone_who_is_connected_gets_what_comes_from_then_on(loop: Loop, log: list[str], readers_path: str) -> None:
    with readers(loop, readers_path, Audience(ME), log) as out:
        out.publish([event(1)])
        with connected(loop, readers_path) as early:
            out.publish([event(2)])
            with connected(loop, readers_path) as late:
                out.publish([event(3), event(4)])
                assert early.recv(1000) == json_lines([event(2), event(3), event(4)])
                assert late.recv(1000) == json_lines([event(3), event(4)])
    assert not Path(readers_path).exists()


def test_a_reader_gets_what_it_may_read(
    loop: Loop, log: list[str], readers_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("observatory.audience.ROOT", -1)  # for those who test as root: root is like anyone else
    with (
        readers(loop, readers_path, Audience(ME + 1), log) as out,
        connected(loop, readers_path) as client,
    ):
        out.publish([event(1, uid=ME), event(2, uid=ME + 2), event(3, uid=None), event(4, uid=ME)])
        assert client.recv(1000) == json_lines([event(1, uid=ME), event(4, uid=ME)])


def test_a_reader_that_stands_still_is_dropped_and_the_others_go_on(
    loop: Loop, log: list[str], readers_path: str
) -> None:
    with (
        readers(loop, readers_path, Audience(ME), log) as out,
        connected(loop, readers_path) as slow,
        connected(loop, readers_path) as quick,
    ):
        found = b""
        for number in range(1, 101):
            out.publish([event(number, 50_000)])
            loop.turn(0)
            while found.count(b"\n") < number:
                found += quick.recv(1 << 20)
                loop.turn(0)
        assert found == json_lines([event(number, 50_000) for number in range(1, 101)])
        while slow.recv(1 << 20):
            pass  # until it ends
    assert log == [f"a reader of the output socket, uid {ME}, was too slow and has been dropped"]


def test_a_reader_that_is_a_little_slow_misses_nothing(loop: Loop, log: list[str], readers_path: str) -> None:
    with (
        readers(loop, readers_path, Audience(ME), log) as out,
        connected(loop, readers_path) as client,
    ):
        for number in range(1, 11):
            out.publish([event(number, 50_000)])
        wanted = json_lines([event(number, 50_000) for number in range(1, 11)])
        found = b""
        while len(found) < len(wanted):
            found += client.recv(1 << 20)
            loop.turn(0)
        assert found == wanted


def test_one_user_cannot_take_every_place(
    loop: Loop, log: list[str], readers_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_socket, "READERS", 8)
    with readers(loop, readers_path, Audience(ME), log) as out:
        clients = [connected(loop, readers_path) for _ in range(5)]
        out.publish([event(1)])
        assert [client.recv(1000) for client in clients] == [json_lines([event(1)])] * 3 + [b""] * 2
        for client in clients:
            client.close()


def test_places_of_readers_who_have_gone_are_free_again(
    loop: Loop, log: list[str], readers_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_socket, "READERS", 2)
    with readers(loop, readers_path, Audience(ME), log) as out:
        for _ in range(5):
            with connected(loop, readers_path) as client:
                out.publish([event(1)])
                assert client.recv(1000) == json_lines([event(1)])
            loop.turn(5)


def test_of_many_readers_that_stand_still_the_log_has_few_lines(
    loop: Loop, log: list[str], readers_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_socket, "READER_BUFFER", 1000)
    with readers(loop, readers_path, Audience(ME), log) as out:
        for number in range(1, 41, 2):
            with connected(loop, readers_path) as slow:
                out.publish([event(number, 1_000_000)])
                out.publish([event(number + 1, 1_000_000)])
                while slow.recv(1 << 20):
                    pass  # until it ends
    assert log == [f"a reader of the output socket, uid {ME}, was too slow and has been dropped"]
