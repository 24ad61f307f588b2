"""Peers of a server for whom the plain answer is wrong: one function for each case. Runs as root; hooks only.

Each case sends events with a token as their `session_id`, and prints for each who opened its connection, as JSON: its
own record, which the server's is held against. Every step waits for the one before it; nothing sleeps. What can't be
played in this place is said in a line `{"unplayable": sentence}`, what the server did not take in one with `unserved`.

The module stands on its own, for a helper of it is another program: a set-user-ID Python that is given this text.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import sys
import termios
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)

ALICE, BOB, CAROL, MALLORY = 1500, 1501, 1502, 1504
STAFF, TEAM = 2000, 2001
DEPARTED, SUCCEEDED, PRESENT = 1510, 1511, 1512
"""Users of one case each, so that a server which looks at some peers of a user only looks at these."""
NOBODY = 65534
HELPER = "/srv/helper"
PATIENCE = 20.0
"""Seconds to wait for a server to read."""
LONGEST_CHAIN = 8
"""So many ancestors are named, and no more."""
EARLY = 3
"""The exit status of a child that could not play its part to the end, and has said why."""
SETRESUID = {"x86_64": 117, "aarch64": 147}
CLONE3 = 435
PR_SET_DUMPABLE = 4
CLONE_NEWUSER, CLONE_NEWPID = 0x1000_0000, 0x2000_0000


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
    gid = uid if gid is None else gid
    try:
        os.setgroups(groups or [])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise UnplayableError(f"nobody can be uid {uid} in {len(groups or [])} groups here: {error.strerror}") from None


def myself(**other: object) -> dict[str, object]:
    """Who this process is; what its connections must be taken for."""
    return {
        "pid": os.getpid(),
        "uid": os.geteuid(),
        "gid": os.getegid(),
        "groups": sorted(os.getgroups()),
        **other,
    }


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
    if result < 0:
        raise UnplayableError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


# The connection is one process's, the words another's


def fork() -> None:
    """Connect, fork; the child speaks."""
    become(BOB)
    sock = connect()
    record("fork", myself())
    ended(child(lambda: speak(sock, "fork")))


def execute() -> None:
    """Connect, then execute another program, set-user-ID to somebody else, which speaks."""
    make_helper(CAROL)

    def bob() -> None:
        become(BOB)
        sock = connect()
        record("execute", myself())
        sock.set_inheritable(True)
        run_helper("speak", str(sock.fileno()), "execute")

    ended(child(bob))


def change_user() -> None:
    """Connect as root, then become somebody else for good, then speak."""
    sock = connect()
    record("change-user", myself())
    become(MALLORY)
    speak(sock, "change-user")


def become_for_a_moment() -> None:
    """Be somebody else's effective user while connecting, and no longer."""
    os.seteuid(BOB)
    sock = connect()
    record("moment", myself())
    os.seteuid(0)
    speak(sock, "moment")


def helper() -> None:
    """A set-user-ID and set-group-ID program connects: its effective ids count, not its real ones."""
    make_helper(CAROL)

    def bob() -> None:
        become(BOB)
        run_helper("connect", "-", "helper")

    ended(child(bob))


def make_helper(owner: int) -> None:
    """A Python that runs as its owner and its owner's group, whoever starts it."""
    shutil.copyfile(os.path.realpath("/proc/self/exe"), HELPER)
    os.chown(HELPER, owner, owner)
    os.chmod(HELPER, 0o6755)


def run_helper(*words: str) -> None:
    """Go on as that Python, in this file."""
    home = os.pathsep.join({sys.base_prefix: None, sys.base_exec_prefix: None})
    loader: Any = sys.modules[__name__].__loader__
    os.execve(
        HELPER, [HELPER, "-S", "-c", loader.sources[__name__], "helped", *words], {**os.environ, "PYTHONHOME": home}
    )


def helped() -> None:
    """What the helper does once it runs."""
    what, where, token = sys.argv[2:]
    if os.getuid() == os.geteuid():
        raise UnplayableError(
            f"{HELPER} is set-user-ID to {CAROL}, and its file system or the process does not honour that"
        )
    if what == "connect":
        record(token, myself())
        speak(connect(), token)
    else:
        speak(socket.socket(fileno=int(where)), token)


def thread() -> None:
    """A thread with a user of its own (which only the raw system call gives) connects."""

    def another_user() -> None:
        number = SETRESUID[os.uname().machine]
        checked(libc.syscall(number, BOB, BOB, BOB), "setresuid")
        sock = connect()
        record("thread", myself(uid=BOB))
        speak(sock, "thread")

    worker = threading.Thread(target=another_user)
    worker.start()
    worker.join()


def passed() -> None:
    """Connect, pass the descriptor to another user's process; that one speaks."""
    here, there = socket.socketpair()

    def receiver() -> None:
        here.close()
        become(MALLORY)
        sock, token = handed_over(there)
        speak(sock, token)

    other = child(receiver)
    become(BOB)
    sock = connect()
    record("passed", myself())
    hand_over(here, sock, "passed")
    ended(other)


def shared() -> None:
    """One keep-alive connection, on which its connector and another user's process speak in turn."""
    here, there = socket.socketpair()

    def other() -> None:
        here.close()
        become(MALLORY)
        sock, _ = handed_over(there)
        for turn in range(3):
            if not there.recv(1):
                return
            speak(sock, f"shared-other-{turn}")
            there.send(b".")

    second = child(other)
    there.close()
    become(BOB)
    sock = connect()
    hand_over(here, sock)
    for turn in range(3):
        record(f"shared-own-{turn}", myself())
        if not speak(sock, f"shared-own-{turn}"):
            break  # a server that takes one request a connection
        record(f"shared-other-{turn}", myself())
        here.send(b".")
        here.recv(1)
    here.close()
    ended(second)


def living() -> None:
    """A session runs a shell, and that a hook, which connects; its child speaks: while they live, they are named."""

    def hook() -> None:
        call_oneself("hook")
        become(PRESENT)
        sock = connect()
        process, *parents = lineage()
        record("living", myself(process={**process, "ancestors": parents}))
        ended(child(lambda: speak(sock, "living")))

    def shell() -> None:
        call_oneself("sh")
        ended(child(hook))

    call_oneself("session")
    ended(child(shell))


def call_oneself(name: str) -> None:
    """Be called something by the kernel (proc(5), `comm`)."""
    Path("/proc/self/comm").write_text(name)


def lineage() -> list[dict[str, object]]:
    """This process and its ancestors, nearest first, from /proc: `pid, comm`."""
    chain: list[dict[str, object]] = []
    pid = os.getpid()
    while pid and len(chain) <= LONGEST_CHAIN:
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")
        chain.append({"pid": pid, "comm": before.partition(" (")[2]})
        pid = int(after.split()[1])
    return chain


# The connector is gone


def orphan(token: str, uid: int) -> tuple[socket.socket, int, bytes]:
    """A connection that has been accepted, of a process that has been collected, and what it has not said yet."""
    here, there = socket.socketpair()
    head, _, body = request(token).partition(b"\r\n\r\n")

    def connector() -> None:
        become(uid, groups=[2000])
        sock = connect()
        record(token, myself(process=None))
        sock.sendall(head)
        until = time.monotonic() + PATIENCE
        while unread(sock):
            if time.monotonic() > until:
                raise UnservedError("the server does not read what is said on a new connection")
            os.sched_yield()
        hand_over(there, sock)

    pid = child(connector)
    ended(pid)
    sock, _ = handed_over(here)
    return sock, pid, b"\r\n\r\n" + body


def unread(sock: socket.socket) -> int:
    """Bytes that the other end has not read yet (unix(7), SIOCOUTQ)."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def dead() -> None:
    """The connector dies after its connection was accepted; the connection speaks on."""
    sock, _, rest = orphan("dead", DEPARTED)
    say(sock, rest)


def reused() -> None:
    """As before, and its number is another user's process by then."""
    sock, pid, rest = orphan("reused", SUCCEEDED)
    read, write = os.pipe()
    successor = fork_as(pid)
    if successor == 0:
        os.close(write)
        become(MALLORY)
        os.read(read, 1)
        os._exit(0)
    assert successor == pid
    say(sock, rest)
    os.close(write)
    ended(successor)


def fork_as(pid: int) -> int:
    """fork(2), but the child has this number (clone3(2), `set_tid`)."""
    wanted = ctypes.c_int(pid)
    words = [0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(wanted), 1, 0]
    arguments = (ctypes.c_uint64 * len(words))(*words)
    return checked(libc.syscall(CLONE3, arguments, ctypes.sizeof(arguments)), f"clone3 for pid {pid}")


# Numbers


def large_ids() -> None:
    """Users and groups with ids that need all 32 bits."""
    for number in (2**31 - 1, 2**31, 2**32 - 2):

        def large(number: int = number) -> None:
            become(number, number, [number])
            record(f"large-{number}", myself())
            speak(connect(), f"large-{number}")

        ended(child(large))


def many_groups() -> None:
    """Users in no group, in one, in as many as old buffers hold, in one more, and in as many as there can be."""
    for count in (0, 1, 32, 33, 1_000, 65_536):

        def member(count: int = count) -> None:
            become(BOB, BOB, list(range(100_000, 100_000 + count)))
            record(f"groups-{count}", myself())
            speak(connect(), f"groups-{count}")

        ended(child(member))


def changed_groups() -> None:
    """Connect, then leave one's groups for others, then speak."""
    os.setgroups([2000, 2001])
    sock = connect()
    record("changed-groups", myself())
    os.setgroups([4242])
    speak(sock, "changed-groups")


# Lies


def claimed() -> None:
    """Say that one is somebody else, in the fields that are the server's."""
    become(MALLORY)
    record("claimed", myself())
    speak(connect(), "claimed", _peer_uid=0, _peer_gid=0, _peer_pid=1, _peer_groups=[0])


def forged() -> None:
    """Send credentials that are not one's own: refused without a capability, and of no effect with one."""
    lie = struct.pack("iII", os.getpid(), MALLORY, MALLORY)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, lie)]

    def mallory() -> None:
        become(MALLORY)
        sock = connect()
        root = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", os.getpid(), 0, 0))]
        try:
            sock.sendmsg([request("forged-without")], root)
        except PermissionError:
            record("forged-without", myself())
            speak(sock, "forged-without")
        else:
            raise AssertionError("the kernel let an ordinary user send root's credentials")

    ended(child(mallory))
    sock = connect()
    record("forged-with", myself())
    sock.sendmsg([request("forged-with")], ancillary)
    heard(sock)


# Other namespaces


def inner_pid() -> None:
    """A peer that is number 1 in a pid namespace of its own: its pid is the one that it has here."""
    checked(libc.unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)")
    read, write = os.pipe()

    def first() -> None:
        assert os.getpid() == 1
        become(BOB)
        os.read(read, 1)
        speak(connect(), "inner-pid", _peer_pid=1)

    pid = child(first)
    record("inner-pid", myself(pid=pid, uid=BOB, gid=BOB, groups=[]))
    os.write(write, b".")
    ended(pid)


def inner_root() -> None:
    """Root of a user namespace is whoever made it."""
    become(BOB)
    checked(libc.prctl(PR_SET_DUMPABLE, 1), "prctl")  # or /proc/self would be the real root's
    outer = myself()
    checked(libc.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
    for file, text in {"setgroups": "deny", "uid_map": f"0 {BOB} 1", "gid_map": f"0 {BOB} 1"}.items():
        Path("/proc/self", file).write_text(text)
    assert os.geteuid() == 0
    record("inner-root", outer)
    speak(connect(), "inner-root", _peer_uid=os.geteuid())


def in_user_namespace(base: int, work: Callable[[], object]) -> None:
    """Do this as root of a user namespace whose users are those from `base` on, as container engines make them."""
    here, there = socket.socketpair()

    def inside() -> None:
        checked(libc.unshare(CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
        there.send(b"made")
        there.recv(8)
        become(0)
        work()

    pid = child(inside)
    here.recv(8)
    try:
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}", file).write_text(f"0 {base} 65536")
    except PermissionError as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise UnplayableError(f"no namespace of the users from {base} on can be made here: {error.strerror}") from None
    here.send(b"mapped")
    ended(pid)


def as_user(uid: int, work: Callable[[], object]) -> None:
    """Do this as a user with no group but the user's own."""

    def user() -> None:
        become(uid)
        work()

    ended(child(user))


def remapped() -> None:
    """Root of one container and a user of it, root of another, a user outside, the real root: who reads what?"""

    def say(token: str, base: int = 0) -> Callable[[], None]:
        def said() -> None:
            record(token, myself(uid=base + os.geteuid(), gid=base + os.getegid()))
            speak(connect(), token)

        return said

    first, second = 100_000, 200_000
    say("host-root")()
    as_user(BOB, say("host-bob"))
    in_user_namespace(first, say("first-root", first))
    in_user_namespace(first, lambda: as_user(1000, say("first-user", first)))
    in_user_namespace(second, say("second-root", second))
    as_user(BOB, lambda: reads("host-bob"))
    in_user_namespace(first, lambda: reads("first-root"))
    in_user_namespace(first, lambda: as_user(1000, lambda: reads("first-user")))
    in_user_namespace(second, lambda: reads("second-root"))
    reads("host-root")


def from_outside() -> None:
    """The server is in user and pid namespaces of its own, where of all users only alice has a number: 0."""
    unknown = {"pid": None, "uid": None, "gid": None, "groups": None}

    def say(token: str, **seen: object) -> Callable[[], None]:
        def said() -> None:
            record(token, {**unknown, **seen})
            speak(connect(), token)

        return said

    os.setgroups([])
    say("outside-root", groups=[])()
    as_user(BOB, say("outside-bob", groups=[]))

    def alice(token: str, groups: list[int], seen_groups: list[int] | None) -> None:
        become(ALICE, STAFF, groups)
        say(token, uid=0, gid=0, groups=seen_groups)()

    ended(child(lambda: alice("outside-alice", [], [])))
    ended(child(lambda: alice("outside-alice-in-team", [TEAM], None)))
    as_user(BOB, lambda: reads("outside-bob"))


def rootless() -> None:
    """The server is in a user namespace of the users from 100000 on; some peers are users of it, others are not."""

    def say(token: str, **seen: object) -> None:
        record(token, myself(**seen))
        speak(connect(), token)

    def nobody() -> None:
        become(NOBODY, NOBODY, [NOBODY])
        say("inside-nobody", uid=None, gid=None, groups=None)

    def bob() -> None:
        become(BOB, BOB, [TEAM])
        say("inside-bob")

    os.setgroups([])
    say("outside-root", uid=None, gid=None)
    as_user(BOB, lambda: say("outside-bob", uid=None, gid=None))
    in_user_namespace(100_000, lambda: say("inside-root"))
    in_user_namespace(100_000, lambda: ended(child(bob)))
    in_user_namespace(100_000, lambda: ended(child(nobody)))
    as_user(BOB, lambda: reads("outside-bob"))
    in_user_namespace(100_000, lambda: as_user(BOB, lambda: reads("inside-bob")))


def nobody() -> None:
    """The user and the group 65534, where every user has a number."""
    become(NOBODY, NOBODY, [NOBODY])
    record("nobody", myself())
    speak(connect(), "nobody")


def plain() -> None:
    """A user with a group connects and speaks."""
    become(BOB, BOB, [TEAM])
    record("plain", myself())
    speak(connect(), "plain")


def sibling() -> None:
    """The server is in a pid namespace of its own, as in another container: no pid here has a number there."""

    def bob() -> None:
        record("sibling", myself(pid=None))
        speak(connect(), "sibling")

    as_user(BOB, bob)


def early() -> None:
    """The server is stopped; connect, send an event, and die before the connection is accepted."""
    server = int(os.environ["SERVER"])
    os.kill(server, signal.SIGSTOP)
    while Path(f"/proc/{server}/stat").read_text().rpartition(") ")[2][0] != "T":
        os.sched_yield()

    def bob() -> None:
        record("early", myself())
        connect().sendall(request("early"))

    as_user(BOB, bob)
    os.kill(server, signal.SIGCONT)


def crowd() -> None:
    """1,000 connections of 50 users, 200 open at once; who speaks, in any order: the user, a child, a stranger."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    users, waves = 50, 5
    channels: list[socket.socket] = []

    def wave(number: int, tokens: list[str], order: socket.socket) -> None:
        assert order.recv(8) == b"open"
        socks = {token: connect() for token in tokens}
        sys.stdout.write("".join(json.dumps({"token": token, **myself()}) + "\n" for token in tokens))
        sys.stdout.flush()
        stranger, by_child, *own = tokens
        hand_over(there, socks[stranger], stranger)
        order.send(b"opened")
        assert order.recv(8) == b"speak"
        random.Random(number).shuffle(own)  # noqa: S311 - an order, not a secret
        speak(socks[own[0]], own[0])
        ended(child(lambda: speak(socks[by_child], by_child)))
        speak(socks[own[1]], own[1])
        order.send(b"spoken")

    def user(number: int, order: socket.socket) -> None:
        become(5000 + number, 6000 + number, list(range(7000, 7000 + number)))
        for turn in range(waves):
            wave(number, [f"crowd-{number}-{turn}-{index}" for index in range(4)], order)

    pids = []
    for number in range(users):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pids.append(child(functools.partial(user, number, theirs)))
        channels.append(mine)
    become(MALLORY)
    for turn in range(waves):
        for words, answer in ((b"open", b"opened"), (b"speak", b"spoken")):
            for channel in channels:
                channel.send(words)
            if words == b"speak":
                strangers = [handed_over(here) for _ in channels]
                random.Random(turn).shuffle(strangers)  # noqa: S311 - as above
                for sock, token in strangers:
                    speak(sock, token)
            for channel in channels:
                assert channel.recv(8) == answer
    for pid in pids:
        ended(pid)


CASES = {
    "fork": fork,
    "execute": execute,
    "change-user": change_user,
    "moment": become_for_a_moment,
    "helper": helper,
    "helped": helped,
    "thread": thread,
    "passed": passed,
    "shared": shared,
    "living": living,
    "dead": dead,
    "reused": reused,
    "large-ids": large_ids,
    "many-groups": many_groups,
    "changed-groups": changed_groups,
    "claimed": claimed,
    "forged": forged,
    "inner-pid": inner_pid,
    "inner-root": inner_root,
    "remapped": remapped,
    "from-outside": from_outside,
    "rootless": rootless,
    "nobody": nobody,
    "plain": plain,
    "sibling": sibling,
    "early": early,
    "crowd": crowd,
}


def main(case: str, endpoint: str, server: int | None = None) -> None:
    """Play a case to the server at this endpoint; `server` is its pid, which `early` stops for a moment."""
    os.environ.update(ENDPOINT=endpoint, SERVER=str(server))
    try:
        CASES[case]()
    except EndError as why:
        tell(why)


if __name__ == "__main__":
    status = 0
    try:
        CASES[sys.argv[1]]()
    except EndError as why:
        tell(why)
        status = EARLY
    sys.exit(status)
