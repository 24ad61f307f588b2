"""The dialects say what they should, and take answers, refusals and silence for what they are."""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import TYPE_CHECKING

import pytest

from harness.inside.dialects import ask_on, dialect
from harness.inside.dialects.answer import Claims
from tests.helpers.deadline import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.dialects.answer import Answer

AS_ROOT = Claims({}, {}, "", "root")


def asked(speaks: str, peer: Callable[[socket.socket], None], claims: Claims = AS_ROOT) -> Answer:
    """One question to a peer that says what it is told to say."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE)
        theirs.settimeout(PATIENCE)
        thread = threading.Thread(target=peer, args=(theirs,))
        thread.start()
        answer = ask_on(ours, speaks, "token-1", claims)
        ours.close()
        thread.join()
    return answer


def saying(expected: bytes, said: bytes) -> Callable[[socket.socket], None]:
    def peer(connection: socket.socket) -> None:
        received = b""
        while expected not in received:
            piece = connection.recv(4096)
            assert piece, received
            received += piece
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)

    return peer


@pytest.mark.parametrize(
    ("speaks", "expected", "said", "kind"),
    [
        ("redis", b"PING\r\n", b"+PONG\r\n", "accepted"),
        ("redis", b"PING\r\n", b"-ERR max number of clients reached\r\n", "refused"),
        ("redis", b"PING\r\n", b"-LOADING Redis is loading\r\n", "starting"),
        ("memcached", b"version\r\n", b"VERSION 1.6.18\r\n", "accepted"),
        ("memcached", b"version\r\n", b"ERROR Too many open connections\r\n", "refused"),
        ("haproxy", b"show info\n", b"Name: HAProxy\nVersion: 2.6\n\n", "accepted"),
        ("haproxy", b"show info\n", b"Permission denied\n", "refused"),
        ("dbus", b"AUTH EXTERNAL 30\r\n", b"REJECTED EXTERNAL\r\n", "refused"),
        *((speaks, b"", b"", "closed") for speaks in ("redis", "memcached", "haproxy", "dbus", "mariadb")),
    ],
)
def test_an_answer_is_taken_for_what_it_is(speaks: str, expected: bytes, said: bytes, kind: str) -> None:
    assert asked(speaks, saying(expected, said)).kind == kind


def packet(number: int, data: bytes) -> bytes:
    return struct.pack("<I", len(data))[:3] + bytes([number]) + data


def test_mariadb_says_whom_it_saw_after_a_switch_of_the_plugin() -> None:
    def server(connection: socket.socket) -> None:
        stream = connection.makefile("rb")

        def received() -> bytes:
            head = stream.read(4)
            return stream.read(int.from_bytes(head[:3], "little"))

        connection.sendall(packet(0, b"\x0a10.11.6-MariaDB\0"))
        assert b"root\0" in received()
        connection.sendall(packet(2, b"\xfeunix_socket\0"))
        assert received() == b""
        connection.sendall(packet(4, b"\0\0\0\2\0\0\0"))
        assert received() == b"\x03select current_user()"
        row = b"root@localhost"
        for number, data in enumerate((b"\1", b"def...", b"\xfe\0\0\2\0", bytes([len(row)]) + row, b"\xfe\0\0\2\0"), 1):
            connection.sendall(packet(number, data))
        assert received() == b"\x01"

    assert asked("mariadb", server) == ("accepted", "root@localhost", {"user": "root"})


def test_mariadb_says_why_it_refuses() -> None:
    def server(connection: socket.socket) -> None:
        connection.sendall(packet(0, b"\xff\x10\x04Too many connections"))

    assert asked("mariadb", server)[:2] == ("refused", "1040 Too many connections")


def exchange(**description: object) -> str:
    return json.dumps({"name": "of a test", **description})


def test_an_exchange_that_is_described_says_whom_the_server_saw() -> None:
    speaks = exchange(
        begin="who",
        steps=[
            {"send": "whoami {token} {user} {uid}\n", "expect": r"uid=(?P<uid>\d+) user=(?P<user>\w+)"},
            {"send": "quit\n", "expect": "bye"},
        ],
        refused="^no",
    )
    assert dialect(speaks).TELLS == "answer"

    def server(connection: socket.socket) -> None:
        assert connection.recv(100) == b"whoami token-1 root 0\n"
        connection.sendall(b"uid=0 ")
        connection.sendall(b"user=root\n")
        assert connection.recv(100) == b"quit\n"
        connection.sendall(b"bye\n")

    assert asked(speaks, server) == ("accepted", "bye", {"uid": 0, "user": "root"})
    assert asked(speaks, saying(b"whoami", b"no such user\n")).kind == "refused"
    assert asked(speaks, saying(b"whoami", b"what?\n")).kind == "closed"


def test_what_is_sent_by_an_exchange_is_bytes_one_for_each_character() -> None:
    speaks = exchange(steps=[{"send": "\x00\xff", "expect": "\xfe"}])
    assert asked(speaks, saying(b"\x00\xff", b"\xfe")).kind == "accepted"
    assert dialect(speaks).TELLS is None
