"""The client speaks to the right server only, and says in one sentence why there is no answer."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from observatory.cli.main import main
from observatory.client import client
from observatory.client.client import Client
from observatory.errors import ExitStatus, ObservatoryError
from observatory.identity import PeerCredentials
from tests.helpers.directories import short_directory
from tests.helpers.fake_server import answering, hang, serving
from tests.helpers.observatory_server import serving as observatory
from tests.helpers.own_process import effective_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's socket")
WHO = b'{"pid":1,"uid":2,"gid":3,"groups":[3]}'


@contextlib.contextmanager
def refused(status: ExitStatus, sentence: str) -> Iterator[None]:
    """There is no answer, for a reason with this exit status and such a sentence."""
    with pytest.raises(ObservatoryError, match=sentence) as caught:
        yield
    assert caught.value.status is status


def ok(body: bytes, *fields: str) -> bytes:
    head = "\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields])
    return head.encode() + b"\r\n\r\n" + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + end


@pytest.fixture
def path() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "o.sock"


def test_it_asks_and_takes_the_answer(path: Path) -> None:
    with serving(path, answering(ok(WHO))) as server:
        assert Client(str(path)).whoami() == {"pid": 1, "uid": 2, "gid": 3, "groups": [3]}
    assert server.received[0].startswith(b"GET /whoami HTTP/1.1\r\n")


def test_events_come_line_by_line_however_they_are_cut(path: Path) -> None:
    with serving(path, answering(chunked(b'{"a":', b"1}\n{}\n{", b'"b":2}\n'))) as server:
        assert list(Client(str(path)).events({"session": "a b&c", "limit": "3"})) == [{"a": 1}, {}, {"b": 2}]
    assert server.received[0].startswith(b"GET /events?session=a+b%26c&limit=3 HTTP/1.1\r\n")


@root_only
def test_another_users_server_is_refused_before_a_byte_is_sent(path: Path) -> None:
    path.parent.chmod(0o777)
    with serving(path, answering(ok(WHO)), owner=4001) as server:
        path.chmod(0o777)
        with refused(ExitStatus.NOT_PERMITTED, r"is 4001's \(uid 4001\), not yours or root's.*--server-user 4001"):
            Client(str(path)).whoami()
        assert Client(str(path), frozenset({4001})).whoami()["uid"] == 2
    assert server.received[0] == b""
    assert server.received[1].startswith(b"GET")


@root_only
def test_roots_server_is_trusted_by_everybody(path: Path) -> None:
    path.parent.chmod(0o777)
    with serving(path, answering(ok(WHO))):
        path.chmod(0o777)
        with effective_user(4001):
            assert Client(str(path)).whoami()["uid"] == 2


@pytest.mark.parametrize("peer", [None, PeerCredentials(1, None, None, None)])
def test_a_server_of_an_unknown_user_is_refused(
    path: Path, peer: PeerCredentials | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "peer_credentials", lambda sock: peer)
    with (
        serving(path, answering(ok(WHO))) as server,
        refused(ExitStatus.NOT_PERMITTED, "the kernel doesn't say whose server listens"),
    ):
        Client(str(path)).whoami()
    assert server.received == [b""]


def test_no_server_is_there(path: Path) -> None:
    with refused(ExitStatus.UNAVAILABLE, f"there is no {path}; start a server with `observatory serve`"):
        Client(str(path)).whoami()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    with refused(ExitStatus.UNAVAILABLE, f"nobody listens at {path}"):
        Client(str(path)).whoami()
    with refused(ExitStatus.UNAVAILABLE, "there is no "):
        Client(str(path / "below")).whoami()


def test_what_is_no_socket_is_told_from_a_socket_where_nobody_listens(path: Path) -> None:
    path.parent.joinpath("directory").mkdir()
    path.parent.joinpath("file").touch()
    path.symlink_to("file")
    for each in (path, path.parent / "directory", path.parent / "file"):
        with refused(ExitStatus.UNAVAILABLE, f"{each} is not a socket, so no server listens there"):
            Client(str(each)).whoami()


@root_only
def test_the_callers_permissions_do_not_suffice(path: Path) -> None:
    path.parent.chmod(0o755)
    with serving(path, answering(ok(WHO))):
        path.chmod(0o600)
        shown = f"you may not connect to {path}; `observatory doctor --socket {path}` shows"
        with effective_user(4001), refused(ExitStatus.NOT_PERMITTED, shown):
            Client(str(path)).whoami()


def test_a_path_that_no_socket_can_have_is_the_callers_mistake() -> None:
    with refused(ExitStatus.USAGE, "can't be a socket's path"):
        Client("/tmp/" + "x" * 200).whoami()


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (b"", ExitStatus.UNAVAILABLE, "closed the connection, or does not speak HTTP"),
        (b"220 smtp\r\n", ExitStatus.UNAVAILABLE, "closed the connection, or does not speak HTTP"),
        (ok(b"[]"), ExitStatus.FAILED, "does not answer like an observatory"),
        (ok(b"{"), ExitStatus.FAILED, "does not answer like an observatory"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", ExitStatus.UNAVAILABLE, "IncompleteRead"),
        (
            b"HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\nNot you.\n",
            ExitStatus.NOT_PERMITTED,
            "answers 403 No: Not you.",
        ),
        (b"HTTP/1.1 400 No\r\nContent-Length: 7\r\n\r\nWrong.\n", ExitStatus.USAGE, "answers 400 No: Wrong."),
        (b"HTTP/1.1 503 No\r\nContent-Length: 6\r\n\r\nLater.", ExitStatus.UNAVAILABLE, "answers 503 No: Later."),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", ExitStatus.FAILED, "answers 404 No: "),
    ],
)
def test_a_bad_answer_is_one_sentence(path: Path, answer: bytes, status: ExitStatus, says: str) -> None:
    with serving(path, answering(answer)), pytest.raises(ObservatoryError) as caught:
        Client(str(path)).whoami()
    assert caught.value.status is status
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (chunked(b"{}\n", end=b""), "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}\n", "ended in the middle"),
        (chunked(b'{}\n{"a":'), "ended in the middle of an event"),
        (chunked(b"{}\nhello\n"), "does not answer like an observatory"),
        (chunked(b"{}\n7\n"), "does not answer like an observatory"),
    ],
)
def test_events_that_break_off_are_not_taken_for_all_of_them(path: Path, answer: bytes, says: str) -> None:
    with serving(path, answering(answer)):
        events = Client(str(path)).events({})
        assert next(events) == {}
        with pytest.raises(ObservatoryError, match=says):
            next(events)


def test_questions_can_be_asked_on_one_connection_whose_answers_may_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    connect = client._UnixConnection.connect

    with observatory() as server:

        def counted(self: client._UnixConnection) -> None:
            if self._path == server.path:  # followers of other tests may go on
                made.append(self)
            connect(self)

        monkeypatch.setattr(client._UnixConnection, "connect", counted)
        for number in range(3):
            server.send({"n": number, "long": ["x" * 60_000] * 10})  # more than is read at once
        asking = Client(server.path)
        with asking.kept():
            found = [list(asking.lines({"limit": "2"})) for _ in range(3)]
            assert (found, len(made)) == (3 * [found[0]], 1)
            left = asking.lines({})
            assert next(left)
            del left
            assert (list(asking.lines({"limit": "2"})), len(made)) == (found[0], 2)
        assert (list(asking.lines({"limit": "2"})), len(made)) == (found[0], 3)


def test_a_server_that_hangs_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.1)
    with serving(path, hang), refused(ExitStatus.UNAVAILABLE, "has not answered for 0 seconds"):
        Client(str(path)).whoami()


@pytest.mark.parametrize(
    ("command", "answer", "status"),
    [
        ("whoami", None, 69),
        ("events", b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 77),
        ("sessions", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 1),
        ("events", b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", 2),
    ],
)
def test_the_exit_status_says_what_kind_of_trouble_it_is(
    path: Path, command: str, answer: bytes | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.ExitStack() as stack:
        if answer is not None:
            stack.enter_context(serving(path, answering(answer)))
        assert main([command, "--socket", str(path)]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"observatory {command}: ")
    assert said.err.count("\n") == 1
