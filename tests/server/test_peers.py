"""No peer can hold up another, whatever it does or doesn't do."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.helpers.deadline import PATIENCE, QUICK
from tests.helpers.unix_http import post, read_answer, read_to_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.helpers.observatory_server import ObservatoryServer

DEADLINE = 1.0
"""Seconds that a peer gets where it does not matter how many they are."""


def served_quickly(server: ObservatoryServer, event: str = "Stop") -> None:
    begun = time.monotonic()
    assert server.send(b'{"well":"behaved"}', event) == 200
    assert time.monotonic() - begun < QUICK


BODY = b'{"x":"' + b"x" * 200_000 + b'"}'
SLOW = {
    "says nothing": b"",
    "says half a line": b"POST /ho",
    "says half a head": b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-",
    "says a head alone": b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
    "says half a body": b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{",
    "says half a chunk": b"POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    "waits to be told to go on": b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
}


def test_one_who_stops_in_the_middle_holds_up_nobody(server: ObservatoryServer) -> None:
    for said in SLOW.values():
        with server.connect() as slow:
            slow.sendall(said)
            served_quickly(server)
            served_quickly(server)


def test_one_who_stops_in_the_middle_is_told_so_after_the_deadline_and_gone(server: ObservatoryServer) -> None:
    """All of them at once: it takes as long as one."""
    begun = time.monotonic()
    socks = {kind: server.connect() for kind in SLOW}
    for kind, sock in socks.items():
        sock.sendall(SLOW[kind])
    answers = {kind: read_to_end(sock) for kind, sock in socks.items()}
    took = time.monotonic() - begun
    for sock in socks.values():
        sock.close()
    assert 9 < took < PATIENCE
    assert answers.pop("says nothing") == b""
    assert answers.pop("waits to be told to go on").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ")
    for kind, answer in answers.items():
        assert answer.startswith(b"HTTP/1.1 408 "), kind
    assert server.stored() == []


def test_one_who_drips_a_byte_now_and_then_does_not_get_longer_than_the_deadline(
    serve: Callable[..., ObservatoryServer],
) -> None:
    server = serve(deadline=DEADLINE)
    begun = time.monotonic()
    with server.connect() as sock:
        sock.sendall(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        with contextlib.suppress(BrokenPipeError):  # the answer may come between the look and the byte
            while not select.select([sock], [], [], DEADLINE / 50)[0]:
                sock.sendall(b"x")
                assert time.monotonic() - begun < PATIENCE
        assert time.monotonic() - begun >= DEADLINE
        assert read_answer(sock)[0] == 408


def test_a_request_in_single_bytes_is_read(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        for byte in post(b'{"a":1}'):
            sock.send(bytes([byte]))
        assert read_answer(sock) == (200, b"")
    assert server.stored()[0]["a"] == 1


def test_many_requests_on_one_connection_one_after_the_other(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        for number in range(100):
            sock.sendall(post(b'{"n":%d}' % number))
            assert read_answer(sock) == (200, b"")
    assert [event["n"] for event in server.stored()] == list(range(100))


@contextlib.contextmanager
def stopped(server: ObservatoryServer) -> Iterator[None]:
    """What is sent in here is all there when the server accepts."""
    server.stop()
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("before", [0, 1], ids=["the-first", "like-one-before"])
def test_the_end_of_a_connection_is_no_reset_to_one_who_had_said_all_before_it_was_accepted(
    server: ObservatoryServer, before: int
) -> None:
    for number in range(before + 1):
        with stopped(server):
            sock = server.connect()
            sock.sendall(post(b'{"n":%d}' % number, close=True))
        with sock:
            assert sock.recv(1 << 10).startswith(b"HTTP/1.1 200 ")
            assert sock.recv(1) == b""
    assert [event["n"] for event in server.stored()] == list(range(before + 1))


@pytest.mark.parametrize("before", [0, 1], ids=["the-first", "like-one-before"])
def test_one_who_had_said_all_before_it_was_accepted_is_answered_once_and_goes_on(
    server: ObservatoryServer, before: int
) -> None:
    def come(number: int) -> socket.socket:
        with stopped(server):
            sock = server.connect()
            sock.sendall(post(b'{"n":%d}' % number))
        assert read_answer(sock) == (200, b"")
        return sock

    for number in range(before):
        come(number).close()
    with come(before) as sock:
        sock.sendall(post(b'{"n":%d}' % (before + 1)) + post(b'{"n":%d}' % (before + 2)))
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock).count(b"HTTP/1.1 200 ") == 2
    assert [event["n"] for event in server.stored()] == list(range(before + 3))


def test_many_requests_at_once_are_answered_in_their_order(server: ObservatoryServer) -> None:
    requests = []
    for number in range(60):
        requests.append(post(b'{"n":%d}' % number))
        if number % 3 == 0:
            requests.append(b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n")
        if number % 5 == 0:
            requests.append(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        if number % 20 == 0:
            requests.append(b"GET /events?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    with server.connect() as sock:
        sock.sendall(b"".join(requests) + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = read_to_end(sock)
    bodies = [piece.partition(b"\r\n\r\n") for piece in answers.split(b"HTTP/1.1 ")[1:]]
    kinds = []
    for number in range(60):
        kinds += ["200 OK"] + ["200 OK"] * (number % 3 == 0) + ["404 Not Found"] * (number % 5 == 0)
        kinds += ["200 OK"] * (number % 20 == 0)
    assert [head.split(b"\r\n")[0].decode() for head, _, _ in bodies] == [*kinds, "200 OK"]
    lines = [json.loads(body) for head, _, body in bodies if b"ndjson" in head]
    assert [line["n"] for line in lines] == [0, 20, 40], "an answer is given after what was sent before it is committed"
    assert [event["n"] for event in server.stored()] == list(range(60))


def test_one_who_sends_without_end_and_never_reads_holds_up_nobody(server: ObservatoryServer) -> None:
    """Answers that nobody takes are kept to a limit: then nothing more is read of that peer."""
    request = b"GET /whoami HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    with server.connect() as sock:
        sock.setblocking(False)
        sent, until = 0, time.monotonic() + QUICK
        while time.monotonic() < until and sent < 200_000_000:
            try:
                sent += sock.send(request)
            except BlockingIOError:
                if not select.select([], [sock], [], 0.5)[1]:
                    break
        else:
            raise AssertionError(f"the server read {sent} bytes and had nowhere to put the answers")
        served_quickly(server)


def test_one_who_goes_away_at_any_point_leaves_nothing_behind(server: ObservatoryServer) -> None:
    request = post(b'{"a":1}')
    for cut in range(len(request)):
        with server.connect() as sock:
            sock.sendall(request[:cut])
    served_quickly(server)
    assert [event for event in server.stored() if "a" in event] == []


def test_one_who_does_not_wait_for_the_answer_is_heard_all_the_same(server: ObservatoryServer) -> None:
    for number in range(50):
        with server.connect() as sock:
            sock.sendall(post(b'{"n":%d}' % number))
    served_quickly(server)
    assert [event["n"] for event in server.stored() if "n" in event] == list(range(50))


def test_one_who_says_that_it_has_said_all_still_gets_the_answer(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        sock.sendall(post(b'{"a":1}'))
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock).startswith(b"HTTP/1.1 200 OK\r\n")


def test_one_who_resets_while_a_long_answer_is_given_harms_nobody(server: ObservatoryServer) -> None:
    for _ in range(8):
        assert server.send(BODY) == 200
    for _ in range(20):
        with server.connect() as sock:
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(1000)
            # Unread bytes, and a peer that lingers for no time: both make the kernel reset the connection.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    served_quickly(server)


def test_one_who_is_refused_in_the_middle_of_a_long_body_gets_to_read_why(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        head = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n"
        sock.sendall(head + b"x" * 40_000_000)
        assert read_answer(sock)[0] == 413


def test_a_chunked_body_is_counted_by_what_is_in_it(server: ObservatoryServer) -> None:
    pieces = b"".join(b"1\r\n%c\r\n" % c for c in b'{"a":"' + b"x" * 50_000 + b'"}')
    with server.connect() as sock:
        sock.sendall(b"POST /hook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
        assert read_answer(sock) == (200, b"")
    assert server.stored()[0]["a"] == "x" * 50_000


def test_one_is_told_to_go_on_once_and_only_if_it_waits_for_that(server: ObservatoryServer) -> None:
    head = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with server.connect() as sock:
        sock.sendall(head)
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"{}")
        assert read_answer(sock) == (200, b"")
        sock.sendall(head + b"{}")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_one_is_not_told_to_go_on_with_what_will_be_refused(server: ObservatoryServer) -> None:
    with server.connect() as sock:
        sock.sendall(
            b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_connection_that_does_nothing_between_requests_is_closed_without_a_word(
    serve: Callable[..., ObservatoryServer],
) -> None:
    with serve(deadline=DEADLINE).connect() as sock:
        sock.sendall(post())
        assert read_answer(sock) == (200, b"")
        begun = time.monotonic()
        assert read_to_end(sock) == b""
        assert time.monotonic() - begun > 0.8 * DEADLINE


def test_large_events_of_one_user_keep_small_ones_of_another_waiting_for_a_moment_only(
    server: ObservatoryServer,
) -> None:
    large = post(b'{"x":"' + b"x" * 15_000_000 + b'"}')
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            with server.connect() as sock:
                sock.sendall(large)
                assert read_answer(sock)[0] == 200

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(10):
            served_quickly(server)
    finally:
        stop.set()
        for sender in senders:
            sender.join()


def test_the_end_waits_for_what_has_begun_and_loses_nothing_that_was_accepted(
    serve: Callable[..., ObservatoryServer],
) -> None:
    server = serve()
    with server.connect() as half, server.connect() as idle:
        half.sendall(post(b'{"half":1}')[:-3])
        idle.sendall(post(b'{"idle":1}'))
        assert read_answer(idle)[0] == 200
        server.stop()  # so that they wait when the end has come
        waiting = [server.connect() for _ in range(30)]
        for number, sock in enumerate(waiting):
            sock.sendall(post(b'{"waiting":%d}' % number))
        server.process.terminate()
        server.process.send_signal(signal.SIGCONT)
        server.wait_for("ending: SIGTERM")
        half.sendall(post(b'{"half":1}')[-3:])
        assert read_answer(half)[0] == 200
        for sock in waiting:
            assert read_answer(sock)[0] == 200
            sock.close()
        assert read_to_end(idle) == b""
    assert server.end() == 0
    events = server.stored()
    assert sorted(event["waiting"] for event in events if "waiting" in event) == list(range(30))
    assert sum("half" in event for event in events) == 1
    assert sorted(event["_id"] for event in server.printed()) == [event["_id"] for event in events]


def test_the_end_does_not_wait_for_ever(serve: Callable[..., ObservatoryServer]) -> None:
    server = serve()
    with server.connect() as half:
        half.sendall(post()[:-1])
        served_quickly(server)
        assert server.end() == 0
        assert read_to_end(half) == b"", "the deadline, at which it would be told so, was not waited for"
