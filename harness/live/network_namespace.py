"""Network namespaces, in each of which a kernel keeps sockets of its own; and what sock_diag(7) says inside one."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import time
from typing import TYPE_CHECKING, Final

from harness.live.limits import in_thread
from harness.live.sock_diag import LARGEST, NETLINK_SOCK_DIAG, MalformedError, dump_request, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.live.sock_diag import UnixSocket

CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""PROC_PID_INIT_INO, include/linux/proc_ns.h: only from there are all processes to be seen."""
_SEQUENCE: Final = 1


def open_namespace(process: str) -> int:
    """A descriptor of the network namespace of a process. Raises OSError."""
    return os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


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
    with _open_socket() if ours else in_thread(lambda: _open_socket_in(namespace), until - time.monotonic()) as kernel:
        return tuple(_dump(kernel, until))


def _open_socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)


def _open_socket_in(namespace: int) -> socket.socket:
    """A socket stays in the namespace in which it was made, wherever its process goes."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
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


class OtherNamespaces:
    """The network namespaces in which processes are, but for this one's own, as descriptors that the loop closes.

    `hidden` tells after the loop whether there may be more: some process can't be looked at, or this pid namespace
    does not show all of them.
    """

    def __init__(self) -> None:
        self.hidden = False

    def __iter__(self) -> Iterator[int]:
        try:
            self.hidden = os.stat("/proc/self/ns/pid").st_ino != FIRST_PID_NAMESPACE
            seen = {_identity(os.stat("/proc/self/ns/net"))}
            processes = [name for name in os.listdir("/proc") if name.isdecimal()]
        except OSError:
            self.hidden = True
            return
        for process in processes:
            try:
                namespace = open_namespace(process)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError:
                self.hidden = True
                continue
            try:
                identity = _identity(os.fstat(namespace))
                if identity not in seen:
                    seen.add(identity)
                    yield namespace
            finally:
                os.close(namespace)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
