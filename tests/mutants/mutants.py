"""Servers that are broken on purpose: each differs from the reference by one method, in which lies one fault.

`python3 -m tests.mutants.mutants NAME --socket PATH --mode MODE [--group GROUP]` runs one; `reference` runs the
unbroken server.
"""

from __future__ import annotations

import array
import contextlib
import grp
import json
import os
import pathlib
import pwd
import socket
import stat
import struct
import subprocess
import sys
import urllib.parse
from typing import TYPE_CHECKING

from tests.mutants.reference import IDLE, Connection, Peer, Server, main, ucred

if TYPE_CHECKING:
    from collections.abc import Callable

MUTANTS: dict[str, tuple[type[Server], str]] = {}
"""Each mutant's class, and the check that is meant to catch it."""


def mutant(check: str) -> Callable[[type[Server]], type[Server]]:
    """Register a mutant under its class's name, with the check that is meant for it."""

    def register(kind: type[Server]) -> type[Server]:
        name = "".join("-" + letter.lower() if letter.isupper() else letter for letter in kind.__name__).lstrip("-")
        MUTANTS[name] = (kind, check)
        return kind

    return register


# The mode


@mutant("mode")
class OpensToAllAfterListen(Server):
    """chmod 0666 at the end, 'so that everyone can use it'."""

    def listen(self) -> None:
        super().listen()
        os.chmod(self.path, 0o666)


@mutant("mode")
class AddsExecuteBits(Server):
    """`mode | 0o111`, as for a program."""

    def bind(self) -> None:
        self.mode |= 0o111
        super().bind()


@mutant("mode")
class ForgetsTheGroupClass(Server):
    """Takes owner and other from the mode, and forgets the digit between them."""

    def bind(self) -> None:
        self.mode &= 0o707
        super().bind()


@mutant("mode")
class IgnoresTheGroup(Server):
    """Never gives the socket to the group that was asked for."""

    def give_to_group(self) -> None:
        pass


@mutant("umask")
class LeavesTheModeToTheUmask(Server):
    """Binds and lets the umask decide."""

    def bind(self) -> None:
        self.listener.bind(self.path)

    def set_mode(self) -> None:
        pass


@mutant("umask")
class ForgetsTheUmask(Server):
    """Asks for the mode before bind, and does not set the umask aside."""

    def bind(self) -> None:
        os.fchmod(self.listener.fileno(), self.mode)
        self.listener.bind(self.path)

    def set_mode(self) -> None:
        pass


# The window


@mutant("creation-window")
class ListensBeforeChmod(Server):
    """bind, listen, chmod: for a moment the umask's mode is in force."""

    def bind(self) -> None:
        umask = os.umask(0)
        self.listener.bind(self.path)
        os.umask(umask)
        super().listen()

    def listen(self) -> None:
        pass


@mutant("creation-window")
class ListensBeforeChgrp(Server):
    """Gives the socket to its group when the group that it had by itself could come in already."""

    def give_to_group(self) -> None:
        self.set_mode()
        super().listen()
        super().give_to_group()

    def listen(self) -> None:
        pass


@mutant("creation-window")
class BindsWithItsModeBeforeChgrp(Server):
    """Listens last, but a connect() that its own group may begin can go on when it does."""

    def bind(self) -> None:
        umask = os.umask(0)
        os.fchmod(self.listener.fileno(), self.mode)
        self.listener.bind(self.path)
        os.umask(umask)


@mutant("creation-window")
class OpensForAMomentAndCloses(Server):
    """Opens the mode to try whether it can be reached, and sets it right again."""

    def listen(self) -> None:
        super().listen()
        os.chmod(self.path, 0o666)
        os.chmod(self.path, self.mode)


# The path


@mutant("traversal")
class OpensTheDirectories(Server):
    """Makes its own directory searchable, 'so that clients can reach it'."""

    def listen(self) -> None:
        os.chmod(os.path.dirname(self.path), 0o755)
        super().listen()


@mutant("traversal")
class ListensInTheAbstractNamespaceToo(Server):
    """A second door, which has neither mode nor directory."""

    def listen(self) -> None:
        super().listen()
        self.second = self.make_socket()
        self.second.bind("\0" + os.path.basename(self.path))
        self.second.listen(16)


@mutant("traversal")
class ListensOnTcpToo(Server):
    """A second door, for everybody on this machine."""

    def listen(self) -> None:
        super().listen()
        self.second = socket.create_server(("127.0.0.1", 0))


@mutant("replacement")
class OpensItsDirectoryToWriters(Server):
    """Makes its directory world-writable, without the sticky bit."""

    def open(self) -> None:
        with contextlib.suppress(PermissionError):
            os.chmod(os.path.dirname(self.path), 0o777)
        super().open()


# The name


@mutant("takeover-foreign")
class ChangesTheModeOfASymlinksTarget(Server):
    """Sets the mode of whatever the name leads to, before it looks what that is."""

    def clear_the_name(self) -> None:
        with contextlib.suppress(OSError):
            os.chmod(self.path, self.mode)
        super().clear_the_name()


@mutant("takeover-foreign")
class RemovesAnythingAtTheName(Server):
    """unlink first, whatever it is, unless a server answers there."""

    def clear_the_name(self) -> None:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            if not self.somebody_listens():
                os.unlink(self.path)

    def somebody_listens(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return stat.S_ISSOCK(os.lstat(self.path).st_mode) and super().somebody_listens()
        return False


@mutant("takeover-foreign")
class FollowsASymlinkToTheSocket(Server):
    """Looks with stat, which follows symlinks: a symlink to a stale socket counts as a stale socket."""

    def clear_the_name(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(self.path).st_mode) and not self.somebody_listens():
                os.unlink(self.path)


@mutant("takeover-foreign")
class ClearsADirectoryAway(Server):
    """Moves a directory and what is in it out of its way."""

    def clear_the_name(self) -> None:
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            for name in os.listdir(self.path):
                os.rename(os.path.join(self.path, name), f"{self.path}.{name}")
            os.rename(self.path, self.path + ".old")
        super().clear_the_name()


@mutant("takeover-live")
class StealsALivingSocket(Server):
    """Removes any socket of its own user, alive or not."""

    def somebody_listens(self) -> bool:
        return False


@mutant("takeover-live")
class RenamesItselfOverALivingSocket(Server):
    """Binds under another name and moves it over the first one's: no moment without a socket, and no mercy."""

    def clear_the_name(self) -> None:
        pass

    def bind(self) -> None:
        name, self.path = self.path, self.path + ".new"
        super().bind()
        os.rename(self.path, name)
        self.path = name


@mutant("takeover-stale")
class StumblesOverAStaleSocket(Server):
    """Never removes what it left itself."""

    def clear_the_name(self) -> None:
        if os.path.lexists(self.path):
            self.refuse("is taken")


@mutant("squatting")
class EndsQuietlyWhenTheNameIsTaken(Server):
    """Ends with 0 and without a word: 'somebody serves there already'."""

    def refuse(self, why: str) -> None:
        raise SystemExit(0)


@mutant("squatting")
class TakesAnotherNameWhenItsOwnIsTaken(Server):
    """Serves under a name that nobody knows, while the clients go to whoever has the right one."""

    def open(self) -> None:
        try:
            super().open()
        except SystemExit:
            self.path += ".1"
            super().open()


@mutant("lifetime")
class LeavesItsSocket(Server):
    """Does not clean up."""

    def remove_own_socket(self) -> None:
        pass


@mutant("lifetime")
class RemovesItsSuccessorsSocket(Server):
    """Removes whatever is at the name when it ends."""

    def remove_own_socket(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


# The peer


@mutant("identity")
class TakesEveryoneForTheFirst(Server):
    """Asks the kernel once and keeps the answer."""

    first: Peer | None = None

    def identify(self, peer_socket: socket.socket) -> Peer:
        if self.first is None:
            self.first = super().identify(peer_socket)
        return self.first


@mutant("identity")
class TakesEveryoneForTheLast(Server):
    """Keeps one 'current peer', that of the newest connection."""

    last: Peer

    def identify(self, peer_socket: socket.socket) -> Peer:
        self.last = super().identify(peer_socket)
        return self.last

    def trusted(self, connection: Connection, headers: dict[str, str], query: str) -> dict[str, object]:
        connection.peer = self.last
        return super().trusted(connection, headers, query)


@mutant("identity")
class RemembersPeersByDescriptorNumber(Server):
    """Caches the credentials under the descriptor's number, which the next client gets again."""

    def __init__(self, path: str, mode: int, group: str | None) -> None:
        super().__init__(path, mode, group)
        self.cache: dict[int, Peer] = {}

    def identify(self, peer_socket: socket.socket) -> Peer:
        if peer_socket.fileno() not in self.cache:
            self.cache[peer_socket.fileno()] = super().identify(peer_socket)
        return self.cache[peer_socket.fileno()]


@mutant("identity")
class NamesTheRealUser(Server):
    """Reads the real uid from /proc where the effective one counts."""

    def credentials(self, peer_socket: socket.socket) -> tuple[int, int, int]:
        pid, uid, gid = super().credentials(peer_socket)
        with contextlib.suppress(OSError):
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            uid = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:"))
        return pid, uid, gid


@mutant("identity")
class NamesTheParent(Server):
    """Reports the parent of the process that connected."""

    def credentials(self, peer_socket: socket.socket) -> tuple[int, int, int]:
        pid, uid, gid = super().credentials(peer_socket)
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
            pid = int(fields.rpartition(")")[2].split()[1])
        return pid, uid, gid


@mutant("identity")
class DropsTheGroup(Server):
    """Says nothing of the gid."""

    def trusted(self, connection: Connection, headers: dict[str, str], query: str) -> dict[str, object]:
        return {**super().trusted(connection, headers, query), "_peer_gid": None}


@mutant("identity")
class ReadsIdsAsSigned(Server):
    """Unpacks struct ucred as three signed integers."""

    def credentials(self, peer_socket: socket.socket) -> tuple[int, int, int]:
        pid, uid, gid = struct.unpack("3i", ucred(peer_socket))
        return pid, uid, gid


@mutant("identity")
class LooksTheGroupsUpByName(Server):
    """Takes the groups from /etc/group, where the process may have others."""

    def groups(self, peer_socket: socket.socket, uid: int) -> list[int] | None:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            return []
        return [group.gr_gid for group in grp.getgrall() if name in group.gr_mem]


@mutant("identity")
class CutsTheGroupsAt32(Server):
    """Gives what fits into its buffer for everything."""

    def groups(self, peer_socket: socket.socket, uid: int) -> list[int] | None:
        groups = super().groups(peer_socket, uid)
        return groups and groups[:32]


@mutant("identity")
class TakesTheUnmappedForNobody(Server):
    """Reports the overflow id, as if a user of that number had come."""

    def known(self, number: int) -> int | None:
        return number


@mutant("identity")
class ReportsPidZero(Server):
    """Reports the pid 0 of a peer in another pid namespace as if there were such a process."""

    def known_pid(self, pid: int) -> int | None:
        return pid


@mutant("identity")
class TakesPidZeroForNoCredentials(Server):
    """Throws uid and gid away with the pid that it doesn't know."""

    def identify(self, peer_socket: socket.socket) -> Peer:
        peer = super().identify(peer_socket)
        return peer if peer.pid is not None else Peer(None, None, None, None)


@mutant("identity")
class GoesByTheOwnerOfProcPid(Server):
    """Takes the owner of /proc/PID for the user, who may have become another since the connection was made."""

    def credentials(self, peer_socket: socket.socket) -> tuple[int, int, int]:
        pid, uid, gid = super().credentials(peer_socket)
        with contextlib.suppress(OSError):
            there = os.stat(f"/proc/{pid}")
            uid, gid = there.st_uid, there.st_gid
        return pid, uid, gid


@mutant("identity")
class DropsEventsOfTheUnknown(Server):
    """Refuses whoever it can't name."""

    def take(self, peer_socket: socket.socket) -> None:
        if self.identify(peer_socket).uid is None:
            peer_socket.close()
        else:
            super().take(peer_socket)


@mutant("identity")
class NamesTheSpeaker(Server):
    """Reports the process that sent the request (SCM_CREDENTIALS), which may have been handed the connection."""

    def take(self, peer_socket: socket.socket) -> None:
        if sys.platform != "linux":
            raise NotImplementedError
        peer_socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        super().take(peer_socket)

    def read(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):
            _, ancillary, _, _ = connection.socket.recvmsg(1, 256, socket.MSG_PEEK)
            for _, _, data in ancillary:
                connection.peer.pid = struct.unpack("iII", data[:12])[0] or connection.peer.pid
        super().read(connection)


@mutant("identity")
class RefusesTheDead(Server):
    """Hangs up on a connection whose process has ended, though others may hold it."""

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        if connection.peer.pid is not None and not os.path.exists(f"/proc/{connection.peer.pid}"):
            self.close(connection)
        else:
            super().answer(connection, first, headers, body)


@mutant("identity")
class DescribesWhoeverHasThePid(Server):
    """Looks the process up in /proc by its number, which may be another's by then."""

    def trusted(self, connection: Connection, headers: dict[str, str], query: str) -> dict[str, object]:
        chain: list[dict[str, object]] = []
        number = connection.peer.pid
        with contextlib.suppress(OSError):
            while number and len(chain) < 9:
                stat = pathlib.Path(f"/proc/{number}/stat").read_text(encoding="latin-1")
                before, _, after = stat.rpartition(") ")
                chain.append({"pid": number, "comm": before.partition(" (")[2]})
                number = int(after.split()[1])
        described = {"_peer_process": {**chain[0], "ancestors": chain[1:]}} if chain else {}
        return {**super().trusted(connection, headers, query), **described}


# The claims


@mutant("forgery")
class MergesThePayloadOverItsOwn(Server):
    """`{**trusted, **body}`."""

    def event(self, connection: Connection, name: str, headers: dict[str, str], body: bytes) -> dict[str, object]:
        said = json.loads(body)
        return {"_event": name, **self.trusted(connection, headers, name), **said}


@mutant("forgery")
class BelievesAHeader(Server):
    """Goes by X-Peer-Uid, as behind a proxy."""

    def trusted(self, connection: Connection, headers: dict[str, str], query: str) -> dict[str, object]:
        trusted = super().trusted(connection, headers, query)
        return {**trusted, "_peer_uid": int(headers["x-peer-uid"])} if "x-peer-uid" in headers else trusted


@mutant("forgery")
class BelievesTheQuery(Server):
    """Lets `?_peer_uid=` override the kernel."""

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        claimed = urllib.parse.parse_qs(first.split()[1].partition("?")[2]).get("_peer_uid")
        if claimed:
            connection.peer.uid = int(claimed[0])
        super().answer(connection, first, headers, body)


@mutant("forgery")
class WritesNothingDownWhereItIsLiedTo(Server):
    """Answers an event that claims a sender, and keeps no record of who sent it."""

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        if b"_peer_uid" in body:
            self.send(connection, "200 OK", b"")
        else:
            super().answer(connection, first, headers, body)


@mutant("forgery")
class BelievesSentCredentials(Server):
    """Goes by SCM_CREDENTIALS, in which a process with CAP_SETUID may name anyone."""

    def read(self, connection: Connection) -> None:
        if sys.platform != "linux":
            raise NotImplementedError
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        with contextlib.suppress(OSError):
            _, ancillary, _, _ = connection.socket.recvmsg(1, socket.CMSG_SPACE(12), socket.MSG_PEEK)
            for _, kind, data in ancillary:
                if kind == socket.SCM_CREDENTIALS:
                    pid, uid, gid = struct.unpack("iII", array.array("B", data).tobytes())
                    connection.peer = Peer(pid, uid, gid, connection.peer.groups)
        super().read(connection)


# The readers


@mutant("audience")
class LetsEveryoneReadAll(Server):
    """Serves every event to whoever asks."""

    def may_read(self, peer: Peer, sender: int | None) -> bool:
        return True


@mutant("audience")
class TakesTheUnknownForAllowed(Server):
    """`if uid is not None and uid != sender: refuse`: the unknown passes."""

    def may_read(self, peer: Peer, sender: int | None) -> bool:
        return peer.uid is None or super().may_read(peer, sender)


@mutant("audience")
class LetsTheUnknownReadTheUnknown(Server):
    """`peer.uid == sender` holds for None and None, who need not be the same."""

    def may_read(self, peer: Peer, sender: int | None) -> bool:
        return peer.uid == sender or super().may_read(peer, sender)


@mutant("audience")
class LetsTheQueryChooseTheUser(Server):
    """`?user=UID` selects whose events are given, and nobody asks whether they may be."""

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        chosen = urllib.parse.parse_qs(first.split()[1].partition("?")[2]).get("user")
        if chosen and first.startswith("GET"):
            connection.peer.uid = int(chosen[0])
        super().answer(connection, first, headers, body)


# The crowd


@mutant("slow-peer")
class ReadsOneClientToTheEnd(Server):
    """One thread that blocks until a request is complete."""

    def take(self, peer_socket: socket.socket) -> None:
        super().take(peer_socket)
        connection = self.connections[peer_socket.fileno()]
        peer_socket.settimeout(IDLE)
        while connection.socket.fileno() in self.connections:
            self.read(connection)


@mutant("slow-peer")
class ServesFourAtATime(Server):
    """Four workers' worth of clients; the others wait until one of them is done."""

    def accept(self) -> None:
        while len(self.connections) < 4:
            try:
                peer_socket, _ = self.listener.accept()
            except BlockingIOError:
                return
            self.take(peer_socket)

    def close(self, connection: Connection) -> None:
        super().close(connection)
        self.accept()


@mutant("flood")
class AcceptsWithoutBound(Server):
    """Takes whoever comes until no descriptor is left, and then nobody."""

    def make_room(self, uid: int | None) -> None:
        pass

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            super().accept()


@mutant("flood")
class BoundsTheWholeAndNotTheUser(Server):
    """Refuses everybody when a hundred are there, whoever they are."""

    def make_room(self, uid: int | None) -> None:
        pass

    def take(self, peer_socket: socket.socket) -> None:
        if len(self.connections) >= 300:
            peer_socket.close()
        else:
            super().take(peer_socket)


@mutant("flood")
class LosesOthersInASecondFlood(Server):
    """Is done for after so many connections: a crowd that has come and gone does it no harm, the next one does."""

    taken = 0

    def take(self, peer_socket: socket.socket) -> None:
        self.taken += 1
        if self.taken > 1500:
            peer_socket.close()
        else:
            super().take(peer_socket)


@mutant("descriptor-leak")
class KeepsBrokenConnections(Server):
    """Forgets a client that hangs up, and keeps its descriptor."""

    def __init__(self, path: str, mode: int, group: str | None) -> None:
        super().__init__(path, mode, group)
        self.forgotten: list[socket.socket] = []

    def close(self, connection: Connection) -> None:
        self.forgotten.append(connection.socket.dup())
        super().close(connection)


@mutant("descriptor-leak")
class OpensAFileForEachRequest(Server):
    """Opens a log at each request and closes none."""

    def answer(self, connection: Connection, first: str, headers: dict[str, str], body: bytes) -> None:
        os.open(os.devnull, os.O_WRONLY)
        super().answer(connection, first, headers, body)


@mutant("inherited")
class LetsChildrenInheritTheListener(Server):
    """Starts a program that gets the listening socket."""

    def listen(self) -> None:
        super().listen()
        self.listener.set_inheritable(True)
        subprocess.Popen(["sleep", "60"], close_fds=False)


@mutant("inherited")
class LetsChildrenInheritConnections(Server):
    """Starts a program for each client, which gets that client's connection."""

    def take(self, peer_socket: socket.socket) -> None:
        super().take(peer_socket)
        peer_socket.set_inheritable(True)
        subprocess.Popen(["sleep", "1"], close_fds=False)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    sys.exit(main(Server if name == "reference" else MUTANTS[name][0], rest))
