"""A small correct server that speaks hooks, with nothing but the standard library: what every mutant is derived from.

`python3 reference.py --socket PATH [--mode 0660] [--group NAME|GID]`. It answers `POST /hook?event=NAME` with 200
and writes a JSON line with what the kernel says of the sender; `GET /events` gives the caller the events of the
caller's own uid, or all to the server's own uid and root.

Each rule that a check holds a server to is one short method here, so that a mutant can break exactly one.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import grp
import json
import os
import pathlib
import selectors
import signal
import socket
import stat
import struct
import sys
import time
import urllib.parse

OVERFLOW = 65534
"""What the kernel gives for an id that it can't translate (/proc/sys/kernel/overflowuid)."""
PEERGROUPS = getattr(socket, "SO_PEERGROUPS", 59)
IDLE = 30.0
"""Seconds that a connection may stay without a complete request."""
SHARE = 64
"""Connections that one uid may hold open; its oldest makes room for its newest."""


class Peer:
    """What the kernel said of the other end when it connected. `None` is 'unknown'."""

    def __init__(self, pid: int | None, uid: int | None, gid: int | None, groups: list[int] | None) -> None:
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups


class Connection:
    """One client: its socket, its credentials, what it has sent so far."""

    def __init__(self, peer_socket: socket.socket, peer: Peer) -> None:
        self.socket = peer_socket
        self.peer = peer
        self.received = b""
        self.since = time.monotonic()


def ucred(peer_socket: socket.socket) -> bytes:
    """What the kernel wrote down when the other end connected. The structure is Linux's (unix(7))."""
    if sys.platform != "linux":
        raise NotImplementedError
    return peer_socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)


class Server:
    """The server. One thread, no blocking read, one method for each rule."""

    def __init__(self, path: str, mode: int, group: str | None) -> None:
        self.path = path
        self.mode = mode
        self.group = group
        self.events: list[tuple[int | None, dict[str, object]]] = []
        self.connections: dict[int, Connection] = {}
        self.selector = selectors.DefaultSelector()
        self.listener = self.make_socket()
        self.inode = (0, 0)

    # Making the socket: it is never open wider than asked, at no moment.

    def make_socket(self) -> socket.socket:
        """An unbound socket; Python makes it close-on-exec."""
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def open(self) -> None:
        """Bind, give it its group and its mode, and only then listen."""
        self.clear_the_name()
        self.bind()
        made = os.lstat(self.path)
        self.inode = (made.st_dev, made.st_ino)
        self.give_to_group()
        self.set_mode()
        self.listen()

    def bind(self) -> None:
        """Bind with no permission for anybody: what fchmod sets on the unbound socket (unix(7)).

        Whoever may connect while it's another group's gets in, if it listens before their connect() goes on.
        """
        os.fchmod(self.listener.fileno(), 0)
        self.listener.bind(self.path)

    def give_to_group(self) -> None:
        """Give the socket file to the group that was asked for."""
        if self.group is not None:
            gid = int(self.group) if self.group.isdigit() else grp.getgrnam(self.group).gr_gid
            os.chown(self.path, -1, gid, follow_symlinks=False)

    def set_mode(self) -> None:
        """Give the socket file exactly its mode, whatever the umask."""
        os.chmod(self.path, self.mode)

    def listen(self) -> None:
        """Let clients in."""
        self.listener.listen(128)
        self.listener.setblocking(False)

    def clear_the_name(self) -> None:
        """Remove what an earlier server of this same user left, and nothing else."""
        try:
            there = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(there.st_mode):
            self.refuse("is taken by something that is not a socket")
        if there.st_uid != os.geteuid():
            self.refuse(f"is taken by a socket of uid {there.st_uid}")
        if self.somebody_listens():
            self.refuse("is taken by a living server")
        os.unlink(self.path)

    def somebody_listens(self) -> bool:
        """Whether a server lives behind the name."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            return probe.connect_ex(self.path) != errno.ECONNREFUSED

    def refuse(self, why: str) -> None:
        """End with a sentence, having touched nothing."""
        raise SystemExit(f"reference: {self.path} {why}")

    def remove_own_socket(self) -> None:
        """Remove the socket, if the name still leads to it."""
        with contextlib.suppress(FileNotFoundError):
            there = os.lstat(self.path)
            if (there.st_dev, there.st_ino) == self.inode:
                os.unlink(self.path)

    # Knowing the peer.

    def identify(self, peer_socket: socket.socket) -> Peer:
        """Ask the kernel who connected: pid, effective uid and gid are unsigned (struct ucred, unix(7))."""
        pid, uid, gid = self.credentials(peer_socket)
        return Peer(
            pid=self.known_pid(pid), uid=self.known(uid), gid=self.known(gid), groups=self.groups(peer_socket, uid)
        )

    def credentials(self, peer_socket: socket.socket) -> tuple[int, int, int]:
        """SO_PEERCRED as it is."""
        pid, uid, gid = struct.unpack("iII", ucred(peer_socket))
        return pid, uid, gid

    def known_pid(self, pid: int) -> int | None:
        """A peer outside of our pid namespace has pid 0."""
        return pid or None

    def known(self, number: int) -> int | None:
        """The overflow id stands for an id that our user namespace does not map, unless ours maps every id."""
        return None if number == OVERFLOW and not self.maps_everything() else number

    def maps_everything(self) -> bool:
        """Whether this is a user namespace in which no id is without translation."""
        mapping = pathlib.Path("/proc/self/uid_map").read_text(encoding="ascii")
        return sum(int(line.split()[2]) for line in mapping.splitlines()) >= 2**32 - 1

    def groups(self, peer_socket: socket.socket, uid: int) -> list[int] | None:
        """All supplementary groups of the peer, or `None`."""
        size = 64
        while True:
            try:
                raw = peer_socket.getsockopt(socket.SOL_SOCKET, PEERGROUPS, 4 * size)
            except OSError as error:
                if error.errno != errno.ERANGE or size > 65536:
                    return None
                size *= 4
            else:
                groups = list(struct.unpack(f"{len(raw) // 4}I", raw))
                return None if any(self.known(group) is None for group in groups) else groups

    # Believing the kernel and nobody else.

    def event(self, connection: Connection, name: str, headers: dict[str, str], body: bytes) -> dict[str, object]:
        """What the client said, without names that are the server's, and what the kernel knows."""
        said = self.said(body)
        return {"_event": name, **said, **self.trusted(connection, headers, name)}

    def said(self, body: bytes) -> dict[str, object]:
        """The client's fields."""
        try:
            value = json.loads(body)
        except ValueError:
            value = {"raw": body.decode("latin-1")}
        fields = value if isinstance(value, dict) else {"value": value}
        return {key: field for key, field in fields.items() if not key.startswith("_")}

    def trusted(self, connection: Connection, headers: dict[str, str], query: str) -> dict[str, object]:
        """The server's own fields."""
        peer = connection.peer
        return {"_peer_pid": peer.pid, "_peer_uid": peer.uid, "_peer_gid": peer.gid, "_peer_groups": peer.groups}

    def may_read(self, peer: Peer, sender: int | None) -> bool:
        """Everyone sees the events of their own uid; the server's own uid and root see all; the unknown see nothing."""
        if peer.uid is None:
            return False
        return peer.uid in (0, os.geteuid()) or peer.uid == sender

    # Serving everybody.

    def accept(self) -> None:
        """Take everyone who waits."""
        while True:
            try:
                peer_socket, _ = self.listener.accept()
            except BlockingIOError:
                return
            self.take(peer_socket)

    def take(self, peer_socket: socket.socket) -> None:
        """Take one client, at the expense of nobody but the same user."""
        peer_socket.setblocking(False)
        connection = Connection(peer_socket, self.identify(peer_socket))
        self.make_room(connection.peer.uid)
        self.connections[peer_socket.fileno()] = connection
        self.selector.register(peer_socket, selectors.EVENT_READ, connection)

    def make_room(self, uid: int | None) -> None:
        """Close the oldest connection of a uid that holds its whole share."""
        own = [connection for connection in self.connections.values() if connection.peer.uid == uid]
        if len(own) >= SHARE:
            self.close(min(own, key=lambda connection: connection.since))

    def close(self, connection: Connection) -> None:
        """Forget a client, and free its descriptor."""
        del self.connections[connection.socket.fileno()]
        self.selector.unregister(connection.socket)
        connection.socket.close()

    def read(self, connection: Connection) -> None:
        """Take what is there; answer when a request is complete."""
        try:
            chunk = connection.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close(connection)
            return
        connection.received += chunk
        head, end, rest = connection.received.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) >= length:
            self.answer(connection, first, headers, rest[:length])
            if connection.socket.fileno() in self.connections:
                self.close(connection)

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        """Do what the request says."""
        method, _, target = first.partition(" ")
        path, _, query = target.rpartition(" ")[0].partition("?")
        if (method, path) == ("POST", "/hook"):
            name = urllib.parse.parse_qs(query).get("event", ["Unknown"])[0]
            event = self.event(connection, name, headers, body)
            self.events.append((connection.peer.uid, event))
            print(json.dumps(event), flush=True)
            self.send(connection, "200 OK", b"")
        elif (method, path) == ("GET", "/events"):
            visible = [event for sender, event in self.events if self.may_read(connection.peer, sender)]
            self.send(connection, "200 OK", b"".join(json.dumps(event).encode() + b"\n" for event in visible))
        else:
            self.send(connection, "404 Not Found", b"there is /hook and /events\n")

    def send(self, connection: Connection, status: str, body: bytes) -> None:
        """Send a whole answer; a client that doesn't take it within a moment loses it."""
        connection.socket.settimeout(1.0)
        with contextlib.suppress(OSError):
            connection.socket.sendall(
                f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
            )

    def run(self) -> None:
        """Serve until a signal says to end."""
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select(timeout=1.0):
                connection: Connection | None = key.data
                if connection is None:
                    self.accept()
                elif self.connections.get(key.fd) is connection:  # an earlier client of this turn may have closed it
                    self.read(connection)
            now = time.monotonic()
            for idle in [each for each in self.connections.values() if now - each.since > IDLE]:
                self.close(idle)


def main(kind: type[Server], arguments: list[str]) -> int:
    """Run a server of some kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--mode", default="0660", type=lambda text: int(text, 8))
    parser.add_argument("--group")
    options = parser.parse_args(arguments)

    def end(number: int, frame: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    server = kind(options.socket, options.mode, options.group)
    server.open()
    try:
        server.run()
    finally:
        server.remove_own_socket()
    return 0


if __name__ == "__main__":
    sys.exit(main(Server, sys.argv[1:]))
