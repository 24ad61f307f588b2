"""Unix sockets as the target's kernel has them, by the real kernel's answers.

XNU 11417.101: bsd/kern/uipc_usrreq.c (`unp_connect`, `unp_bind`, `unp_listen`, `uipc_ctloutput`), uipc_socket2.c
(`sonewconn_internal`: a full queue), uipc_syscalls.c (`accept_nocancel`: O_NONBLOCK is inherited; `getsockaddr`).
FreeBSD: sys/kern/uipc_usrreq.c (`uipc_ctloutput`, `unp_connectat`). OpenBSD: sys/kern/uipc_socket.c (`sogetopt`).
NetBSD: sys/kern/uipc_usrreq.c (`unp_ctloutput`).
"""

import errno
import os
import posix
import select
import stat
import struct

from rehearsal import system

SUN_PATH = 104
SOMAXCONN = 128
WIRE = 253
"""SOCK_MAXADDRLEN is 255, of which two bytes are the length and the family."""
LINUX_PEERCRED, LINUX_PEERGROUPS, LINUX_ACCEPTCONN = 17, 59, 30
O_PATH = 0o10000000


def _error(number):
    return OSError(number, os.strerror(number))


def change(module):
    """Have it so: in `_socket`, whose class `socket.socket` is made of."""
    real = module.socket
    unix = module.AF_UNIX
    seqpacket, dontwait = module.SOCK_SEQPACKET, module.MSG_DONTWAIT

    def peer(sock):
        pid, uid, gid = struct.unpack("iII", real.getsockopt(sock, 1, LINUX_PEERCRED, 12))
        if uid == 0xFFFFFFFF or real.getsockopt(sock, 1, LINUX_ACCEPTCONN):
            raise _error(errno.ENOTCONN)
        try:
            groups = real.getsockopt(sock, 1, LINUX_PEERGROUPS, 1024)  # the most that Python asks for
        except OSError:
            groups = bytes(64)  # more than there is room for in any case
        return pid, uid, gid, struct.unpack(f"{len(groups) // 4}I", groups)

    def xucred(sock, tail):
        pid, uid, gid, groups = peer(sock)
        have = ([gid, *groups])[:16]
        return struct.pack("IIh2x16I", 0, uid, len(have), *have, *[0] * (16 - len(have))) + tail(pid)

    def last_user(sock):
        pid = peer(sock)[0]
        told = select.poll()
        told.register(sock, select.POLLIN)
        try:  # recv() by itself would wait for as long as the socket's timeout is
            ended = bool(told.poll(0)) and not real.recv(sock, 1, module.MSG_PEEK | dontwait)
        except OSError:
            ended = False
        if ended:  # or no more will come, which the other end's shutdown(2) says as well: this cannot tell
            raise _error(errno.ENOTCONN)
        return struct.pack("i", pid)

    def token(sock):
        from rehearsal import processes

        found = processes.token(struct.unpack("i", last_user(sock))[0])
        if found is None:
            raise _error(errno.EINVAL)
        return found

    answers = {
        "darwin": {(0, 1): lambda sock: xucred(sock, lambda _: b""), (0, 2): last_user, (0, 6): token},
        "freebsd": {(0, 1): lambda sock: xucred(sock, lambda pid: struct.pack("4xi4x", pid))},
        "openbsd": {(0xFFFF, 0x1022): lambda sock: struct.pack("IIi", *peer(sock)[1:3], peer(sock)[0])},
        "netbsd": {(0, 3): lambda sock: struct.pack("iII", *peer(sock)[:3])},
    }[system()]

    class Socket(real):
        __slots__ = ()

        def __init__(self, family=-1, type=-1, proto=-1, fileno=None):
            if system() == "darwin" and family == unix and type != -1 and type & 0xF == seqpacket:
                raise _error(errno.EPROTONOSUPPORT)
            real.__init__(self, family, type, proto, fileno)

        def getsockopt(self, level, option, size=None):
            if self.family == unix and (level, option) in answers and size:
                return answers[level, option](self)[:size]
            if level == 1 and option in {LINUX_PEERCRED, LINUX_PEERGROUPS, 77, 31}:
                raise _error(errno.ENOPROTOOPT)
            return real.getsockopt(self, level, option) if size is None else real.getsockopt(self, level, option, size)

        def connect(self, address):
            if self.family != unix:
                return real.connect(self, address)
            _room(address)
            return _connect(self.fileno(), address, lambda to: real.connect(self, to))

        def connect_ex(self, address):
            try:
                self.connect(address)
            except OSError as error:
                if error.errno is None:
                    raise
                return error.errno
            return 0

        def bind(self, address):
            if self.family != unix:
                return real.bind(self, address)
            _room(address)
            return real.bind(self, _behind_links(address))

        def listen(self, backlog=SOMAXCONN):
            return real.listen(self, min(backlog, SOMAXCONN) if self.family == unix else backlog)

        def _accept(self):
            fd, address = real._accept(self)
            if not os.get_blocking(self.fileno()):
                os.set_blocking(fd, False)
            return fd, address

    if system() == "darwin":
        quiet = ~dontwait
        Socket.send = lambda self, data, flags=0: real.send(self, data, flags & quiet)
        Socket.sendall = lambda self, data, flags=0: real.sendall(self, data, flags & quiet)
        Socket.sendmsg = lambda self, buffers, ancdata=(), flags=0, *rest: real.sendmsg(
            self, buffers, ancdata, flags & quiet, *rest
        )
    Socket.__name__ = Socket.__qualname__ = "socket"
    module.socket = module.SocketType = Socket


def _room(address):
    """As CPython, which wants room for a closing NUL."""
    if len(os.fsencode(address)) >= SUN_PATH:
        raise OSError("AF_UNIX path too long")


def _behind_links(address):
    """Where a new socket goes: XNU's bind follows a link that leads nowhere (`unp_bind`, FOLLOW)."""
    if system() == "darwin" and os.path.islink(address) and not os.path.exists(address):
        return os.path.realpath(address)
    return address


def _connect(fd, address, call):
    """Connect: what is no socket is told before any permission; a full queue refuses, whoever would wait."""
    if not os.fsencode(address).strip(b"\0"):
        raise _error(errno.EINVAL)
    if os.fsencode(address).startswith(b"\0"):  # no abstract names: such a path is an empty one
        raise _error(errno.ENOENT)
    try:
        if not stat.S_ISSOCK(os.stat(address).st_mode):
            raise _error(errno.ENOTSOCK)
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno == errno.ENOTSOCK:
            raise
    blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        call(address)
    except BlockingIOError as error:
        if error.errno == errno.EAGAIN:
            raise _error(errno.ECONNREFUSED) from None
        raise
    finally:
        os.set_blocking(fd, blocking)


def raw(ctypes, function, name):
    """connect(2) and bind(2) for an address in BSD's form: length, family, path; to 253 bytes of path."""

    def call(fd, address, size):
        if address[1] != 1:
            return _failed(ctypes, errno.EAFNOSUPPORT)
        path = bytes(address[2:size]).split(b"\0")[0]
        if len(path) > WIRE:
            return _failed(ctypes, errno.ENAMETOOLONG)
        here = posix.open(".", O_PATH)
        try:
            if len(path) > 107:  # more than Linux takes
                parent, _, path = path.rpartition(b"/")
                os.chdir(parent or b"/")

            def linux(to):
                to = os.fsencode(to)
                whole = struct.pack("=H", 1) + to
                if function(fd, whole, len(whole)) != 0:
                    raise _error(ctypes.get_errno())

            if name == "connect":
                _connect(fd, path, linux)
            else:
                linux(_behind_links(path))
        except OSError as error:
            return _failed(ctypes, error.errno)
        finally:
            os.fchdir(here)
            os.close(here)
        return 0

    return call


def _failed(ctypes, number):
    ctypes.set_errno(number)
    return -1
