"""Network namespaces, in each of which a kernel keeps sockets of its own; and what sock_diag(7) says inside one."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Final

from harness.inside.libc import copy_descriptor, setns
from harness.inside.sock_diag import LARGEST, NETLINK_SOCK_DIAG, MalformedError, dump_request, parse
from harness.live.limits import in_thread
from harness.live.mounts import read_mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.sock_diag import UnixSocket

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_NS_GET_NSTYPE: Final = 0xB703  # linux/nsfs.h
_SIOCGSKNS: Final = 0x894C  # linux/sockios.h
_SEQUENCE: Final = 1


def open_namespace(process: str) -> int:
    """A descriptor of the network namespace of a process. Raises OSError."""
    return os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def open_namespace_of_socket(pid: int, descriptor: int) -> int:
    """A descriptor of the network namespace that a socket was made in which a process has open.

    That takes Linux 5.6, the right to trace the process (pidfd_getfd(2)), and CAP_NET_ADMIN over the namespace
    (SIOCGSKNS, net/socket.c). Raises OSError.
    """
    copy = copy_descriptor(pid, descriptor)
    try:
        return fcntl.ioctl(copy, _SIOCGSKNS)
    finally:
        os.close(copy)


def unix_sockets(namespace: int, until: float) -> tuple[UnixSocket, ...]:
    """Every Unix socket of the namespace that a descriptor is of, by what the kernel says.

    To ask in another namespace takes CAP_SYS_ADMIN there and here (setns(2)). Raises OSError where that, or sock_diag
    itself, is not to be had, and TimeoutError where the answer has not ended at `until`, by the monotonic clock.
    """
    own = open_namespace("self")
    try:
        ours = os.path.samestat(os.fstat(own), os.fstat(namespace))
    finally:
        os.close(own)
    if ours:
        return _asked(_open_socket(), until)
    return in_thread(lambda: _asked(_open_socket_in(namespace), until), until - time.monotonic())


def _asked(kernel: socket.socket, until: float) -> tuple[UnixSocket, ...]:
    """All that the kernel says by a socket, which is closed even where nobody waits for the answer any more."""
    with kernel:
        return tuple(_dump(kernel, until))


def _open_socket() -> socket.socket:
    if sys.platform != "linux":
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)


def _open_socket_in(namespace: int) -> socket.socket:
    """A socket stays in the namespace in which it was made, wherever its process goes."""
    setns(namespace, CLONE_NEWNET)
    return _open_socket()


def _dump(kernel: socket.socket, until: float) -> Iterator[UnixSocket]:
    kernel.send(dump_request(_SEQUENCE))
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        kernel.settimeout(left)
        data, _, flags, (port, _) = kernel.recvmsg(LARGEST)
        if port != 0:
            continue  # the owner of a network namespace may write to any netlink socket there: this is not the kernel
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        try:
            answer = parse(data, _SEQUENCE)
        except MalformedError as error:
            raise OSError(errno.EBADMSG, str(error)) from None
        if answer.error:
            raise OSError(answer.error, os.strerror(answer.error))
        if not answer.complete:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        yield from answer.sockets
        if answer.done:
            return


def other_namespaces() -> Iterator[int]:
    """The network namespaces that processes are in or that are mounted somewhere here, but for this one's own and those
    that may not be opened, as descriptors that the loop closes.

    One that only a descriptor or a socket keeps, with no process in it, is not found by this.
    """
    try:
        seen = {_identity(os.stat("/proc/self/ns/net"))}
        shown = {_shown("self")}
        processes = [name for name in os.listdir("/proc") if name.isdecimal()]
        mounted = [mount.path for mount in read_mounts() if mount.filesystem == "nsfs"]
    except OSError:
        return
    ways = [(f"/proc/{process}/ns/net", process) for process in processes]
    for path, process in (*ways, *((path, None) for path in mounted)):
        try:
            known = None if process is None else _shown(process)
            if known in shown:
                continue
            namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            shown |= set() if known is None else {known}
            identity = _identity(os.fstat(namespace))
            if identity not in seen and _is_network(namespace):
                seen.add(identity)
                yield namespace
        finally:
            os.close(namespace)


def _is_network(descriptor: int) -> bool:
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError as error:
        if error.errno == errno.ENOTTY:  # it was unmounted since, and this is the file below
            return False
        raise


def _shown(process: str) -> tuple[int, int]:
    """What tells one network namespace from another without the ptrace check that its own link takes.

    Each has files of its own below /proc/PID/net, which anybody may stat (get_proc_task_net in fs/proc/proc_net.c).
    """
    return _identity(os.stat(f"/proc/{process}/net/unix"))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
