"""What the cases have in common: who plays, and how a peer connects, speaks, and says who it is.

Each case sends events with a token as their `session_id`, and prints for each who opened its connection, as JSON: its
own record, with which the server's is compared. Every step waits for the one before it; nothing sleeps. What can't be
played in this place is said in a line `{"unplayable": sentence}`, what the server did not take in one with `unserved`.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import sys
import traceback
from typing import TYPE_CHECKING

from harness.inside import credentials, libc, principal

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE, BOB, CAROL, MALLORY = 1500, 1501, 1502, 1504
STAFF, TEAM = 2000, 2001
NOBODY = 65534
PATIENCE = 20.0
"""Seconds to wait for a server to read."""
EARLY = 3
"""The exit status of a child that could not play its part to the end, and has said why."""


class EndError(Exception):
    """The case ends early. `kind` is what its sentence is printed as; none if it was said already."""

    kind: str | None = None


class UnplayableError(EndError):
    """This place has no room for the case: why, in one sentence."""

    kind = "unplayable"


class UnservedError(EndError):
    """The server did not take an event: what it did instead."""

    kind = "unserved"


def become(uid: int, gid: int | None = None, groups: list[int] | None = None) -> None:
    """Be another user for good: real, effective and saved."""
    try:
        principal.become({"uid": uid, "gid": uid if gid is None else gid, "groups": groups or []})
    except OSError as error:
        raise UnplayableError(f"nobody can be uid {uid} in {len(groups or [])} groups here: {error.strerror}") from None


def myself(**other: object) -> dict[str, object]:
    """Who this process is; what its connections must be taken for."""
    return {**credentials.of_this_process(), **other}


def connect() -> socket.socket:
    """A new connection to the server. A path that begins with `@` is an abstract name."""
    sock = socket.socket(socket.AF_UNIX)
    # By the kernel, and not by Python: these hold for whoever is handed the descriptor too.
    patience = struct.pack("ll", int(PATIENCE), 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
    try:
        sock.connect(os.environ["ENDPOINT"].replace("@", "\0", 1))
    except OSError as error:
        raise UnservedError(f"a connection was refused: {error.strerror}") from None
    return sock


def request(token: str, **fields: object) -> bytes:
    """One event as HTTP."""
    body = json.dumps({"session_id": token, **fields}).encode()
    return b"POST /hook?event=Probe HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def speak(sock: socket.socket, token: str, **fields: object) -> bool:
    """Send one event and wait until it is taken; whether the connection can take another."""
    return say(sock, request(token, **fields))


def say(sock: socket.socket, data: bytes) -> bool:
    """Send the end of a request and wait for its answer; whether the connection can take another."""
    try:
        sock.sendall(data)
    except OSError as error:
        raise UnservedError(f"the server does not take a request: {error.strerror}") from None
    return heard(sock)


def heard(sock: socket.socket) -> bool:
    """Wait for the answer to one event; whether the server keeps the connection."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        try:
            more = sock.recv(4096)
        except BlockingIOError:
            raise UnservedError(f"the server does not answer within {PATIENCE:.0f} s") from None
        except ConnectionResetError:
            more = b""
        if not more:
            raise UnservedError(f"the server closed the connection after {answer!r}")
        answer += more
    head = answer.lower()
    if not head.startswith((b"http/1.1 200 ", b"http/1.0 200 ")):
        raise UnservedError(f"the server answered {answer!r}")
    return head.startswith(b"http/1.1") and b"\r\nconnection: close" not in head


def reads(name: str) -> None:
    """Say which events the server shows to this process."""
    with connect() as sock:
        conversation = http.client.HTTPConnection("localhost")
        conversation.sock = sock
        conversation.request("GET", "/events", headers={"Connection": "close"})
        answer = conversation.getresponse()
        lines = answer.read().decode().splitlines() if answer.status == 200 else []
    tokens = {json.loads(line)["session_id"] for line in lines}
    print(json.dumps({"reads": name, "tokens": sorted(tokens)}), flush=True)


def record(token: str, who: dict[str, object]) -> None:
    """Say who opened the connection on which this token is sent."""
    print(json.dumps({"token": token, **who}), flush=True)


def child(work: Callable[[], object]) -> int:
    """A process that does this and ends."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except EndError as why:
            tell(why)
            status = EARLY
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return pid


def tell(why: EndError) -> None:
    """Say why the case ends, once."""
    if why.kind is not None:
        print(json.dumps({why.kind: str(why)}), flush=True)


def ended(pid: int) -> None:
    """Wait for a child that does its work without a fault, and collect it."""
    _, status = os.waitpid(pid, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == EARLY:
        raise EndError  # it has said why
    assert status == 0, f"process {pid} ended with status {status}"


def hand_over(channel: socket.socket, sock: socket.socket, words: str = "-") -> None:
    """Pass a descriptor to whoever is at the channel's other end."""
    socket.send_fds(channel, [words.encode()], [sock.fileno()])


def handed_over(channel: socket.socket) -> tuple[socket.socket, str]:
    """A descriptor that was passed, and the words that came with it."""
    words, (descriptor,), _, _ = socket.recv_fds(channel, 1024, 1)
    return socket.socket(fileno=descriptor), words.decode()


def checked(result: int, what: str) -> int:
    """The result of a C function that returns -1 for a fault: here, that the kernel or the engine does not let us."""
    try:
        return libc.called(result)
    except OSError as error:
        raise UnplayableError(f"{what}: {error.strerror}") from None


def as_user(uid: int, work: Callable[[], object]) -> None:
    """Do this as a user with no group but the user's own."""

    def user() -> None:
        become(uid)
        work()

    ended(child(user))
