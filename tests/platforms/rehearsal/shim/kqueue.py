"""kqueue(2) by epoll(7) and pidfds: for descriptors that can be read and written, and for the end of processes."""

from rehearsal import KEPT

READ, WRITE, PROC = -1, -2, -5
ADD, DELETE, ONESHOT, CLEAR, EOF = 0x1, 0x2, 0x10, 0x20, 0x8000
NOTE_EXIT = 0x80000000
EPOLLIN, EPOLLOUT = 1, 4


class Event:
    """As CPython's."""

    def __init__(self, ident, filter=READ, flags=ADD, fflags=0, data=0, udata=0):
        self.ident = ident if isinstance(ident, int) else ident.fileno()
        self.filter, self.flags, self.fflags, self.data, self.udata = filter, flags, fflags, data, udata


class Queue:
    """As CPython's, for what is used of it here."""

    def __init__(self):
        self._epoll = KEPT["epoll"]()
        self._masks = {}
        self._processes = {}

    @property
    def closed(self):
        return self._epoll.closed

    def fileno(self):
        return self._epoll.fileno()

    def close(self):
        self._epoll.close()
        while self._processes:
            KEPT["close"](self._processes.popitem()[0])

    def __del__(self):
        self.close()

    def control(self, changes, most, timeout=None):
        for change in changes or ():
            self._change(change)
        if most == 0:
            return []
        found = []
        for descriptor, events in self._epoll.poll(-1 if timeout is None else timeout, most):
            if descriptor in self._processes:
                found.append(Event(self._processes[descriptor], PROC, ADD, NOTE_EXIT))
                self._epoll.unregister(descriptor)  # told once (EV_CLEAR)
                continue
            for kind, bit in ((READ, EPOLLIN), (WRITE, EPOLLOUT)):
                if self._masks.get(descriptor, 0) & bit and events & (bit | ~(EPOLLIN | EPOLLOUT)):
                    found.append(Event(descriptor, kind))
        return found

    def _change(self, change):
        if change.filter == PROC:
            descriptor = KEPT["pidfd_open"](change.ident)
            self._processes[descriptor] = change.ident
            self._epoll.register(descriptor, EPOLLIN)
            return
        bit = {READ: EPOLLIN, WRITE: EPOLLOUT}[change.filter]
        before = self._masks.get(change.ident, 0)
        mask = before & ~bit if change.flags & DELETE else before | bit
        if mask == before and change.flags & DELETE:
            raise FileNotFoundError(2, "No such file or directory")
        if not mask:
            del self._masks[change.ident]
            try:
                self._epoll.unregister(change.ident)
            except OSError:  # it was closed, which forgets it there
                pass
            return
        try:
            (self._epoll.modify if before else self._epoll.register)(change.ident, mask)
        except FileNotFoundError:  # closed, and its number is another one's
            self._epoll.register(change.ident, mask)
        except FileExistsError:
            self._epoll.modify(change.ident, mask)
        self._masks[change.ident] = mask


def change(select):
    """Have it so."""
    select.kqueue, select.kevent = Queue, Event
    for name, number in {
        "KQ_FILTER_READ": READ,
        "KQ_FILTER_WRITE": WRITE,
        "KQ_FILTER_PROC": PROC,
        "KQ_EV_ADD": ADD,
        "KQ_EV_DELETE": DELETE,
        "KQ_EV_ONESHOT": ONESHOT,
        "KQ_EV_CLEAR": CLEAR,
        "KQ_EV_EOF": EOF,
        "KQ_NOTE_EXIT": NOTE_EXIT,
    }.items():
        setattr(select, name, number)
