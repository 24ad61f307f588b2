"""A bare listener, run inside a place with the words PATH [MISTAKE]. It says of each request whose it takes it for.

It shares no code with observatory: it asks the kernel by itself, and writes the same fields. With a MISTAKE it does
what real servers do, so that a case can be seen to catch it.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import socket
import struct
import sys
import threading
from pathlib import Path

assert sys.platform == "linux"

MISTAKES = {
    "speaker": "asks who sent these bytes (SCM_CREDENTIALS), not who connected",
    "procfs": "looks the pid up in /proc when the request has come",
    "real": "takes the real ids of the process for the effective ones",
    "signed": "reads ids as signed numbers",
    "thirty-two": "has room for 32 groups",
    "overflow": "takes 'unknown' for a number",
    "hidden": "takes the user nobody for 'unknown', where that is a user",
    "own": "falls back to its own ids where it knows nothing",
    "claims": "lets the client's fields go over its own",
    "everybody": "shows every event to everybody",
    "details": "describes the process that has the pid now, whether it is the peer or not",
}
SO_PEERGROUPS = 59
SO_PEERPIDFD = 77
UNKNOWN = {"pid": 0, "uid": 65534, "gid": 65534}


writing = threading.Lock()
events: list[tuple[object, str]] = []


def main(words: list[str] | None = None) -> None:
    """Listen for ever, with the words of the command line if none are given."""
    path, mistake = [*(sys.argv[1:] if words is None else words), ""][:2]
    assert not mistake or mistake in MISTAKES
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path.replace("@", "\0", 1))
    if not path.startswith("@"):
        os.chmod(path, 0o666)
    listener.listen(1024)
    print("listening on", path, file=sys.stderr, flush=True)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=converse, args=(accepted, mistake), daemon=True).start()


def from_socket(sock: socket.socket, mistake: str) -> dict[str, object]:
    """Whom the kernel recorded when the connection was made."""
    form = "iii" if mistake == "signed" else "iII"
    pid, uid, gid = struct.unpack(form, sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    groups = groups_of(sock, mistake)
    seen: dict[str, object] = {"pid": pid, "uid": uid, "gid": gid, "groups": groups}
    if mistake in {"overflow", "signed"}:
        return seen
    complete = mistake != "hidden" and Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    for name, unknown in UNKNOWN.items():
        if seen[name] == unknown and (name == "pid" or not complete):
            own = {"pid": os.getpid(), "uid": os.geteuid(), "gid": os.getegid()}
            seen[name] = own[name] if mistake == "own" else None
    if groups is not None and UNKNOWN["gid"] in groups and not complete:
        seen["groups"] = None
    return seen


def groups_of(sock: socket.socket, mistake: str) -> list[int] | None:
    """The supplementary groups: all, or none where the kernel would not give them."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    room = 4 * (32 if mistake == "thirty-two" else 65_536)
    buffer = ctypes.create_string_buffer(room)
    length = ctypes.c_uint32(room)
    if library.getsockopt(sock.fileno(), socket.SOL_SOCKET, SO_PEERGROUPS, buffer, ctypes.byref(length)):
        return [] if mistake == "thirty-two" else None
    return list(array.array("I", buffer.raw[: length.value]))


def from_proc(pid: object, column: int) -> dict[str, object]:
    """Who the process with this number is now: column 0 for the real ids, 1 for the effective ones."""
    seen: dict[str, object] = {"pid": pid, "uid": None, "gid": None, "groups": None}
    with contextlib.suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in {"Uid", "Gid"}:
                seen[name.lower()] = int(rest.split()[column])
            elif name == "Groups":
                seen["groups"] = [int(word) for word in rest.split()]
    return seen


def process_of(sock: socket.socket, pid: object, mistake: str) -> dict[str, object] | None:
    """The process with this number and its ancestors, if the kernel says that the peer lived all the while."""
    chain: list[dict[str, object]] = []
    number = pid
    try:
        pidfd = os.pidfd_open(os.getpid()) if mistake == "details" else sock.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD)
    except OSError:
        return None
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while number and len(chain) < 9:
            before, _, after = Path(f"/proc/{number}/stat").read_text().rpartition(") ")
            chain.append({"pid": number, "comm": before.partition(" (")[2]})
            number = int(after.split()[1])
    ended, _, _ = select.select([pidfd], [], [], 0)
    os.close(pidfd)
    return None if ended or not chain else {**chain[0], "ancestors": chain[1:]}


def converse(sock: socket.socket, mistake: str) -> None:
    """Answer the requests of one connection."""
    seen = from_socket(sock, mistake)
    if mistake == "real":
        seen = from_proc(seen["pid"], 0)
    if mistake == "speaker":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    data = b""
    while True:
        while b"\r\n\r\n" not in data or len(data) < wanted(data):
            more, ancillary, _, _ = sock.recvmsg(1 << 20, 1024)
            if not more:
                return
            data += more
            if mistake == "speaker" and ancillary:
                pid, uid, gid = struct.unpack("iII", ancillary[0][2][:12])
                seen = {**seen, "pid": pid, "uid": uid, "gid": gid}
        if mistake == "procfs":
            seen = from_proc(seen["pid"], 1)
        if data.startswith(b"GET "):
            sock.sendall(shown(seen["uid"], mistake))
            return
        body = json.loads(data[data.index(b"\r\n\r\n") + 4 : wanted(data)])
        data = data[wanted(data) :]
        trusted = {f"_peer_{name}": value for name, value in seen.items()}
        if (process := process_of(sock, seen["pid"], mistake)) is not None:
            trusted["_peer_process"] = process
        if mistake != "claims":
            body = {name: value for name, value in body.items() if not name.startswith("_")}
        line = json.dumps({**trusted, **body}) + "\n"
        with writing:
            events.append((seen["uid"], line))
            sys.stdout.write(line)
            sys.stdout.flush()
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def shown(uid: object, mistake: str) -> bytes:
    """The answer to GET /events: one's own, and all for root and for this process's user."""
    everything = mistake == "everybody" or uid in {0, os.geteuid()}
    with writing:
        lines = [line for whose, line in events if everything or (uid is not None and whose == uid)]
    body = "".join(lines).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def wanted(data: bytes) -> int:
    """The length of the first request in these bytes, of which the head is complete."""
    head, _, _ = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + 4 + int(value)
    return len(head) + 4
