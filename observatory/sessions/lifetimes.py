"""Which process a session is, and the moment at which it ends: known from the kernel, not guessed.

The hook that reports an event is a short-lived `curl`: a child of a shell, which is a child of the session's
process. While the hook waits for its answer its own descriptor (SO_PEERPIDFD) proves that it lives, and with it
who its ancestors are; so the session's process is opened then, once a session, and its descriptor becomes
readable when it ends, however it ends (pidfd_open(2)). No polling, no comparison of names or of directories.
What was read then is what the session's first event says of its sender (`Lineage`).

The session's process is the nearest ancestor that is no shell. A wrapper put around every hook (by
CLAUDE_CODE_SHELL_PREFIX) is taken for it and reported as dead too early; the session's next SessionStart mends that.
Where the hook's ancestors can't be seen (another pid namespace, another platform), nothing is reported.

On Linux before 6.5, which has no SO_PEERPIDFD, and on FreeBSD the hook is opened by its pid, whose reuse is then not
excluded. On macOS and FreeBSD a kqueue(2) stands for the descriptor; on other systems nothing is watched
(`observatory.identity.sender`).
"""

from __future__ import annotations

import resource
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from observatory.events import Event, trusted_fields
from observatory.identity.credentials import PeerCredentials
from observatory.identity.sender import CAN_HOLD, hold_again, sender
from observatory.sessions.memory import Memory, Remembered, here
from observatory.sessions.state import DEAD

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from observatory.identity.process import Lineage, OpenProcess, ProcessDetails

SHELLS: Final = frozenset({"ash", "bash", "busybox", "dash", "fish", "ksh", "mksh", "sh", "yash", "zsh"})
"""What the kernel calls a process that only runs a hook's command (proc(5), `comm`)."""

SESSIONS_A_USER: Final = 256
"""So many sessions of one user are watched; with one more, the one watched for the longest is forgotten. And so many of
those that have ended are remembered,"""

LATE: Final = 600.0
"""for so many seconds after their end."""

PROCESSES: Final = 8
"""So many processes of one session are watched: a terminal's, and those of scripts that go on with it."""

SHARE_OF_DESCRIPTORS: Final = 4
"""A quarter of the descriptors that this process may have are for sessions, and no more."""

_BEGINNINGS: Final = frozenset({"SessionStart", "UserPromptSubmit"})
"""What no hook says that has outlived its session: another process of the session lives, a terminal's say, when a
script that went on with the session has ended it."""
BOUNDS: Final = _BEGINNINGS | {"SessionEnd"}
"""The events with which sessions begin and end."""

INTERVAL: Final = 0.01
"""Seconds between two looks at one user's hooks in the long run, so that nobody can make the server look all day."""

AT_ONCE: Final = 4
"""So many looks at one user's hooks may be ahead of that: one for each of a few sessions that begin together."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session whose process has ended: whose it was, and which process.

    `owner` is the effective uid that the process had when it was found, `None` if that has no number here. It need not
    be that of the session's hooks: `su` runs a session as another user and is its process.
    """

    session: str
    pid: int
    owner: int | None
    peer: PeerCredentials
    """The credentials of the hook by which the process was found."""

    def event(self, number: int, time: int, ts: str) -> Event:
        """The event that says so, as `observatory.events.compose` makes those of clients.

        `_peer_uid`, `_peer_gid` and `_peer_groups` are the hook's, and so is the event; `_peer_pid` is there if the
        process that ended was that user's. `_session_pid` and `_session_uid` name that process, and say that the
        kernel reported it: a client that claims a SessionDead can't have those fields.
        """
        pid = self.pid if self.owner == self.peer.uid else None
        process = PeerCredentials(pid, self.peer.uid, self.peer.gid, self.peer.groups)
        owner = "null" if self.owner is None else self.owner
        said = msgspec.json.encode({"session_id": self.session, "hook_event_name": DEAD})
        head = f'{{"_id":{number},"_ts":"{ts}","_event":"{DEAD}",{trusted_fields(process)},'
        head += f'"_session_pid":{self.pid},"_session_uid":{owner},'
        return Event(number, time, DEAD, self.peer.uid, self.session, None, head.encode() + said[1:])


@dataclass(slots=True)
class _Held:
    process: OpenProcess
    pid: int
    owner: int | None
    peer: PeerCredentials
    remembered: Remembered | None


@dataclass(slots=True)
class _User:
    """The sessions of one account, by uid and id, oldest first, and of each its processes, by pid."""

    held: OrderedDict[tuple[int, str], dict[int, _Held]] = field(default_factory=OrderedDict)
    over: OrderedDict[tuple[int, str], float] = field(default_factory=OrderedDict)
    """Sessions that have ended, and when: what still comes of them (a hook that outlived its session) opens nothing."""
    next_look: float = 0.0
    """The moment of the next look, if there were one every `INTERVAL`."""


class Lifetimes:
    """Watches the processes of sessions for a server's loop.

    `watch(descriptor, callback)` and `unwatch(descriptor)` are the loop's; `report` is called once for each session
    whose process ends without a SessionEnd. `account_of` says who is charged for a uid's sessions. Needs no thread and
    never waits.
    """

    def __init__(
        self,
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], None],
        report: Callable[[Ended], None],
        account_of: Callable[[int], int | None],
    ) -> None:
        self._watch = watch
        self._unwatch = unwatch
        self._report = report
        self._account_of = account_of
        self._memory: Memory | None = None
        self._here = here()
        self._users: OrderedDict[int | None, _User] = OrderedDict()
        self._watched: set[tuple[int, str]] = set()
        """All sessions that are held."""
        self._fresh: list[tuple[tuple[int, str], int]] = []
        """Sessions, and processes by which they are known, of which nothing has been stored yet."""
        self._ending: dict[tuple[int, str], set[int]] = {}
        """Sessions whose end is about to be stored, and the processes that said so."""
        self._room = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_OF_DESCRIPTORS

    def introduce(
        self, sock: socket.socket, peer: PeerCredentials | None, event: str, session: str | None
    ) -> Lineage | None:
        """Look at the sender of an event that is about to be stored, unless its session's process is known already.

        Gives what was read of a process that is new to the session, if the sender's own descriptor proves it. To be
        followed by `all_stored` or `not_stored`, and all that before the sender gets its answer: afterwards the sender
        may be gone. Several processes may share a session, so whoever begins or ends one is always looked at.
        """
        if peer is None or peer.uid is None or session is None:
            return None
        key = peer.uid, session
        watched = key in self._watched
        if event not in BOUNDS if watched else event == "SessionEnd":
            return None
        user = self._user(peer.uid)
        now, ended = time.monotonic(), user.over.get(key)
        if event not in _BEGINNINGS and ended is not None and now - ended < LATE:
            return None
        if user.next_look - now > AT_ONCE * INTERVAL or self._room <= 0:
            return None
        user.next_look = max(now, user.next_look) + INTERVAL
        lineage, found = sender(sock, peer, _is_no_shell)
        if found is None:
            return None if watched else lineage
        held, pid = user.held.get(key, {}), found.details.pid
        if event == "SessionEnd":
            self._ending.setdefault(key, set()).add(pid)
        if event == "SessionEnd" or pid in held or len(held) >= PROCESSES:
            found.close()
            return None
        self._begin(user, key, found, peer)
        return lineage

    def others(self, uid: int | None, session: str | None) -> list[int]:
        """The processes that live on of a session whose end has just been introduced: some, if one of several that
        share it has ended. Nothing is known where the sender could not be looked at."""
        if uid is None or session is None or (ending := self._ending.get((uid, session))) is None:
            return []
        return sorted(self._user(uid).held.get((uid, session), {}).keys() - ending)

    def all_stored(self) -> None:
        """What was introduced is stored."""
        self._fresh.clear()
        self._ending.clear()

    def stored(self, peer: PeerCredentials | None, event: str, session: str | None) -> None:
        """Take note of an event that was stored; only one of `BOUNDS` means anything."""
        if peer is None or peer.uid is None or session is None or event not in BOUNDS:
            return
        user, key = self._user(peer.uid), (peer.uid, session)
        if event != "SessionEnd":
            user.over.pop(key, None)
        elif not (self.others(*key) and all(self._one_less(user, key, pid) for pid in self._ending[key])):
            self._over(user, key)

    def not_stored(self) -> None:
        """Forget the sessions that were introduced and of which nothing was stored: the next event does it anew."""
        for key, pid in self._fresh:
            if not self._one_less(self._user(key[0]), key, pid):
                self._no_more(key)
        self.all_stored()

    def remember(self, memory: Memory) -> None:
        """Keep in `memory` what is known from now on; watch the sessions that it holds, and report those that ended.

        A process of another pid namespace of this boot is forgotten: nothing can be known of it here.
        """
        self._memory = memory
        if self._here is None or not CAN_HOLD:
            return
        for entry in memory.sessions():
            user, key = self._user(entry.uid), (entry.uid, entry.session)
            peer = PeerCredentials(None, entry.uid, entry.gid, entry.groups)
            process = hold_again(entry.pid, entry.started) if entry.where == self._here else None
            if process is not None:
                self._hold(user, key, _Held(process, entry.pid, entry.owner, peer, entry))
                continue
            self._over(user, key)
            if entry.where == self._here or entry.where.boot != self._here.boot:
                self._report(Ended(entry.session, entry.pid, entry.owner, peer))

    def close(self) -> None:
        """Watch nobody any more. What is remembered stays so."""
        for user in self._users.values():
            for key in list(user.held):
                self._let_go(user, key)
        self._users.clear()
        if self._memory is not None:
            self._memory.close()

    def _begin(self, user: _User, key: tuple[int, str], found: OpenProcess, peer: PeerCredentials) -> None:
        if key not in user.held and len(user.held) >= SESSIONS_A_USER:
            oldest = next(iter(user.held))
            self._let_go(user, oldest)
            self._no_more(oldest)
        process, remembered = found.details, None
        if self._here is not None:
            whose = key[0], peer.gid, peer.groups, key[1]
            remembered = Remembered(self._here, *whose, process.pid, process.uid, process.started)
        self._hold(user, key, _Held(found, process.pid, process.uid, peer, remembered))
        self._fresh.append((key, process.pid))
        self._remember(remembered)

    def _remember(self, entry: Remembered | None) -> None:
        """Keep in the memory which process a session is: of several the latest."""
        if self._memory is not None and entry is not None:
            self._memory.began(entry)

    def _user(self, uid: int) -> _User:
        account = self._account_of(uid)
        user = self._users.get(account)
        if user is None:
            self._forget()
            user = self._users[account] = _User()
        return user

    def _hold(self, user: _User, key: tuple[int, str], held: _Held) -> None:
        user.held.setdefault(key, {})[held.pid] = held
        self._watched.add(key)
        self._room -= 1
        self._watch(held.process.descriptor, lambda: self._ended(user, key, held))

    def _ended(self, user: _User, key: tuple[int, str], held: _Held) -> None:
        """A process of a session has ended, and the session if that was its last."""
        if self._one_less(user, key, held.pid):
            return
        self._over(user, key)
        self._report(Ended(key[1], held.pid, held.owner, held.peer))

    def _one_less(self, user: _User, key: tuple[int, str], pid: int) -> bool:
        """Watch a process of a session no more; whether others of it are watched."""
        processes = user.held.get(key, {})
        if (held := processes.pop(pid, None)) is not None:
            self._close(held)
        if not processes:
            self._let_go(user, key)
            return False
        self._remember(next(reversed(processes.values())).remembered)
        return True

    def _over(self, user: _User, key: tuple[int, str]) -> None:
        self._let_go(user, key)
        self._no_more(key)
        user.over.pop(key, None)
        user.over[key] = time.monotonic()
        if len(user.over) > SESSIONS_A_USER:
            user.over.popitem(last=False)
        self._forget()

    def _forget(self) -> None:
        """Forget what ended long ago, of two users whenever there is something more to remember of one."""
        now = time.monotonic()
        for account, user in list(islice(self._users.items(), 2)):
            while user.over and next(iter(user.over.values())) < now - LATE:
                user.over.popitem(last=False)
            if user.held or user.over or user.next_look > now:
                self._users.move_to_end(account)
            else:
                del self._users[account]

    def _let_go(self, user: _User, key: tuple[int, str]) -> None:
        self._watched.discard(key)
        for held in user.held.pop(key, {}).values():
            self._close(held)

    def _close(self, held: _Held) -> None:
        self._unwatch(held.process.descriptor)
        held.process.close()
        self._room += 1

    def _no_more(self, key: tuple[int, str]) -> None:
        if self._memory is not None:
            self._memory.over(*key)


def _is_no_shell(process: ProcessDetails) -> bool:
    return process.comm not in SHELLS
