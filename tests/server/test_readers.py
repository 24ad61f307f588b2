"""`GET /events`: by those who ask once, those who follow, and those who don't read."""

from __future__ import annotations

import contextlib
import json
import select
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import QUICK
from tests.helpers.own_process import effective_user
from tests.helpers.unix_http import Connection, connected, post, read_answer, read_to_end

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.helpers.observatory_server import ObservatoryServer

PAD = "x" * 20_000
DEADLINE = 1.0
"""Seconds that a peer gets where it does not matter how many they are."""


def follow(server: ObservatoryServer, query: str = "?follow=1") -> tuple[Connection, Iterator[dict[str, object]]]:
    connection = Connection(server.path)
    connection.request("GET", f"/events{query}")
    response = connection.getresponse()
    assert response.status == 200

    def events() -> Iterator[dict[str, object]]:
        while line := response.readline():
            yield json.loads(line)

    return connection, events()


def test_filters_find_what_they_say(server: ObservatoryServer) -> None:
    for number, (session, tool, event) in enumerate(
        [("a", "Bash", "PreToolUse"), ("b", "Bash", "PreToolUse"), ("a", "Read", "PostToolUse"), ("a", None, "Stop")], 1
    ):
        said = {"session_id": session, "n": number, **({"tool_name": tool} if tool else {})}
        server.send(said, event)
    wanted = {
        "": [1, 2, 3, 4],
        "?session=a": [1, 3, 4],
        "?tool=Bash": [1, 2],
        "?event=PreToolUse": [1, 2],
        "?session=a&tool=Bash&event=PreToolUse": [1],
        "?after=2": [3, 4],
        "?after=0&limit=3": [1, 2, 3],
        "?limit=3": [2, 3, 4],
        "?session=a&limit=2": [3, 4],
        "?user=0&session=nobody's": [],
        "?limit=0": [],
        "?event=": [1, 2, 3, 4],
    }
    for query, numbers in wanted.items():
        assert [event["n"] for event in server.events(query)] == numbers, query


def test_a_long_answer_is_whole_with_and_without_keeping_the_connection(server: ObservatoryServer) -> None:
    for number in range(150):
        server.send({"n": number, "x": PAD})
    assert [event["n"] for event in server.events()] == list(range(150))
    connection = Connection(server.path)
    for _ in range(2):
        connection.request("GET", "/events?after=50")
        response = connection.getresponse()
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert [json.loads(line)["n"] for line in response.read().splitlines()] == list(range(50, 150))
    connection.close()


def test_http_1_0_gets_no_chunks(server: ObservatoryServer) -> None:
    for number in range(50):
        server.send({"n": number, "x": PAD})
    with server.connect() as sock:
        sock.sendall(b"GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _, body = read_to_end(sock).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert [json.loads(line)["n"] for line in body.splitlines()] == list(range(50))


def test_a_follower_gets_what_is_there_and_then_what_comes_as_it_comes(server: ObservatoryServer) -> None:
    server.send({"n": 0})
    connection, events = follow(server)
    assert next(events)["n"] == 0
    for number in range(1, 20):
        server.send({"n": number})
        assert next(events)["n"] == number
    connection.close()


def test_a_follower_gets_only_what_it_asked_for(server: ObservatoryServer) -> None:
    connection, events = follow(server, "?follow=1&limit=0&session=b")
    for number in range(10):
        server.send({"n": number, "session_id": "ab"[number % 2]})
    assert [next(events)["n"] for _ in range(5)] == [1, 3, 5, 7, 9]
    connection.close()


def test_a_follower_s_answer_is_ended_properly_when_the_server_ends(serve: Callable[..., ObservatoryServer]) -> None:
    server = serve()
    server.send({"n": 0})
    connection, events = follow(server)
    assert next(events)["n"] == 0
    assert server.end() == 0
    assert list(events) == []  # http.client raises IncompleteRead if it's cut off
    connection.close()


def test_every_event_is_followed_once_and_in_order_while_many_send(server: ObservatoryServer) -> None:
    connection, events = follow(server, "?follow=1&limit=0")
    senders = [
        threading.Thread(target=lambda s=s: [server.send({"s": s, "n": n}) for n in range(50)]) for s in range(4)
    ]
    for sender in senders:
        sender.start()
    found = [next(events) for _ in range(200)]
    for sender in senders:
        sender.join()
    connection.close()
    assert [event["_id"] for event in found] == list(range(1, 201))
    for s in range(4):
        assert [event["n"] for event in found if event["s"] == s] == list(range(50))


def test_one_who_begins_while_many_send_misses_nothing_between_what_was_and_what_comes(
    server: ObservatoryServer,
) -> None:
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            server.send()  # small, so that a reader who is not run for a while is not dropped

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(5):
            newest = server.events("?limit=1")
            first = max(newest[0]["_id"] - 30, 0) + 1 if newest else 1
            connection, events = follow(server, f"?follow=1&after={first - 1}")
            with contextlib.closing(connection):
                assert [next(events)["_id"] for _ in range(60)] == list(range(first, first + 60))
    finally:
        stop.set()
        for sender in senders:
            sender.join()


def test_a_follower_that_does_not_read_is_dropped_and_holds_up_nobody(server: ObservatoryServer) -> None:
    with server.connect() as slow:
        slow.sendall(b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(20).startswith(b"HTTP/1.1 200 OK")
        slowest = 0.0
        for _ in range(120):  # 2.4 MB: more than the kernel and the server keep for one who doesn't read
            begun = time.monotonic()
            assert server.send({"x": PAD}) == 200
            slowest = max(slowest, time.monotonic() - begun)
        server.wait_for("too slow and has been dropped")
        rest = read_to_end(slow)
    assert not rest.endswith(b"\r\n0\r\n\r\n"), "what was cut off must not look whole"
    assert slowest < QUICK


def test_one_who_asks_for_much_and_does_not_read_is_closed_after_a_while_and_holds_up_nobody(
    serve: Callable[..., ObservatoryServer],
) -> None:
    server = serve(deadline=DEADLINE)
    for _ in range(100):
        server.send({"x": PAD})
    with server.connect() as slow:
        slow.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < DEADLINE + 0.5:
            assert server.send() == 200
            select.select([], [], [], DEADLINE / 50)
        whole = 100 * len(PAD)
        # What the kernel held; there's an end, and it is no proper one.
        assert 100_000 < len(read_to_end(slow)) < whole


def test_a_follower_that_goes_away_is_forgotten(server: ObservatoryServer) -> None:
    for _ in range(30):
        connection, _ = follow(server)
        connection.close()
    assert server.send() == 200
    assert server.end() == 0


def test_a_follower_that_goes_on_speaking_is_not_listened_to(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(20).startswith(b"HTTP/1.1 200 OK")
        sock.sendall(post(b'{"late":1}') * 100)
        server.send(b'{"n":1}')
        got = b""
        while b'"n":1' not in got:
            got += sock.recv(65536)
    assert [event for event in server.stored() if "late" in event] == []


def test_many_who_read_everything_leave_the_rest_of_the_time_to_those_who_send(server: ObservatoryServer) -> None:
    for _ in range(100):
        server.send({"x": PAD})
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            server.events()

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(20):
            begun = time.monotonic()
            assert server.send() == 200
            assert time.monotonic() - begun < QUICK
    finally:
        stop.set()
        for reader in readers:
            reader.join()


@pytest.fixture
def other_user(need: Callable[[str, str], str]) -> Callable[[ObservatoryServer], AbstractContextManager[socket.socket]]:
    """Connections that are another user's: made by root as that user, and used here (the connector counts)."""
    import contextlib
    import os

    if os.geteuid() != 0:
        pytest.skip("needs root, to be several users")

    @contextlib.contextmanager
    def connect(
        server: ObservatoryServer, uid: int = 4711, gid: int = 4711, groups: tuple[int, ...] = ()
    ) -> Iterator[socket.socket]:
        with effective_user(uid, gid, groups):  # those count at connect(2), and the test's other threads do nothing
            sock = connected(server.path)
        with sock:
            yield sock

    return connect


def asked(sock: socket.socket, target: str = "/events") -> tuple[int, list[dict[str, object]]]:
    sock.sendall(b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target.encode())
    status, body = read_answer(sock, "GET")
    return status, [json.loads(line) for line in body.splitlines()] if status == 200 else []


def test_users_read_what_they_have_said_and_root_everything(
    serve: Callable[..., ObservatoryServer], other_user: Callable[..., AbstractContextManager[socket.socket]]
) -> None:
    server = serve("--mode", "0666")
    for uid in (4711, 4712, 4711):
        with other_user(server, uid) as sock:
            sock.sendall(post(b'{"uid":%d}' % uid))
            assert read_answer(sock)[0] == 200
    server.send({"uid": 0})
    for uid, numbers in ((4711, [1, 3]), (4712, [2]), (4713, [])):
        with other_user(server, uid) as sock:
            assert [event["_id"] for event in asked(sock)[1]] == numbers
        with other_user(server, uid) as sock:
            assert asked(sock, "/events?user=0") == (200, [])
        with other_user(server, uid) as sock:
            assert [event["_id"] for event in asked(sock, f"/events?user={uid}")[1]] == numbers
    assert [event["_id"] for event in server.events()] == [1, 2, 3, 4]
    assert [event["_id"] for event in server.events("?user=4711")] == [1, 3]
    for event in server.events():
        assert event["_peer_uid"] == event["uid"]


@pytest.mark.parametrize(("gid", "groups"), [(500, ()), (4711, (7, 500))])
def test_members_of_the_readers_group_read_everything(
    serve: Callable[..., ObservatoryServer],
    other_user: Callable[..., AbstractContextManager[socket.socket]],
    gid: int,
    groups: tuple[int, ...],
) -> None:
    server = serve("--mode", "0666", "--readers", "500")
    server.send()
    with other_user(server, 4711, gid, groups) as sock:
        assert len(asked(sock)[1]) == 1
    with other_user(server, 4711, 501, (501,)) as sock:
        assert asked(sock)[1] == []


def test_a_follower_gets_nothing_that_another_user_says(
    serve: Callable[..., ObservatoryServer], other_user: Callable[..., AbstractContextManager[socket.socket]]
) -> None:
    server = serve("--mode", "0666")
    with other_user(server, 4711) as follower:
        follower.sendall(b"GET /events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert follower.recv(20).startswith(b"HTTP/1.1 200 OK")
        for uid in (4712, 4711):
            with other_user(server, uid) as sock:
                sock.sendall(post(b'{"uid":%d}' % uid))
                assert read_answer(sock)[0] == 200
        got = b""
        while b"4711" not in got:
            got += follower.recv(65536)
    assert b"4712" not in got
