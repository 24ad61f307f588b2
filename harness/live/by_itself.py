"""What a call was refused for by itself: its own arguments, or the state of the socket that it was made on.

Each is said only where it was seen, or where the kernel has no other reason for that errno. The facts are Linux's.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final

from harness.inside.procfs import by_key
from harness.live.kernel_text import read_lines
from harness.trace.failed_call import AT_SYMLINK_NOFOLLOW
from harness.trace.own_socket import own_socket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.trace.failed_call import FailedCall

_FAMILY_ALONE, _WHOLE_ADDRESS = 2, 110
"""Bytes of a sockaddr_un without a name, and with the longest (unix_validate_addr in net/unix/af_unix.c)."""
_O_PATH: Final = 0o10000000
"""asm-generic/fcntl.h."""
_MESSAGES: Final = frozenset({"sendmsg", "sendmmsg"})
_SENDING: Final = _MESSAGES | {"sendto"}
_AT_REMOVEDIR, _AT_EMPTY_PATH = 0x200, 0x1000
"""linux/fcntl.h."""
_NOREPLACE, _EXCHANGE, _WHITEOUT = 1, 2, 4
"""RENAME_NOREPLACE and others, linux/fs.h."""
_KNOWN_FLAGS: Final[Mapping[str, int]] = {
    "unlinkat": _AT_REMOVEDIR,
    "renameat2": _NOREPLACE | _EXCHANGE | _WHITEOUT,
    "fchmodat2": AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH,
    "fchownat": AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH,
}


def by_itself(call: FailedCall) -> str | None:
    """Why a call on a socket failed, whatever its path leads to; None if that is no reason."""
    number = call.descriptor
    if number is None:
        return None
    if call.error in {errno.EBADF, errno.ENOTSOCK}:
        return _of_descriptor(call, number)
    try:
        with own_socket(call.thread, number) as held:
            if held.family != socket.AF_UNIX:
                family = getattr(held.family, "name", held.family)
                return f"descriptor {number} is a socket of another family ({family}), not a Unix socket"
            return _of_address(call) or _of_socket(call, held)
    except OSError:
        return _of_address(call)


def _of_descriptor(call: FailedCall, number: int) -> str | None:
    try:
        what = os.readlink(f"/proc/{call.thread}/fd/{number}")
        path_only = _flags(call.thread, number) & _O_PATH
    except FileNotFoundError:
        return f"the process has no descriptor {number} open"
    except OSError:
        return f"descriptor {number}, or one that the message passes on, is not of the kind that the call takes"
    if call.error == errno.ENOTSOCK:
        return None if what.startswith("socket:") else f"descriptor {number} is no socket, but {what}"
    if path_only:
        return f"descriptor {number} names {what} and is not open for more than that (O_PATH)"
    return "the message passes on a descriptor that is not open (SCM_RIGHTS)" if call.name in _MESSAGES else None


def _flags(thread: int, number: int) -> int:
    """The flags with which a descriptor was opened."""
    return int(by_key(read_lines(f"/proc/{thread}/fdinfo/{number}")).get(b"flags", b"0"), 8)


def _of_address(call: FailedCall) -> str | None:
    size = call.size or 0
    if call.error != errno.EINVAL:
        return None
    if size <= _FAMILY_ALONE and call.operation != "bind":
        return "the address has neither a path nor an abstract name: there is nothing behind it"
    if size > _WHOLE_ADDRESS:
        return f"the address of a Unix socket has {_WHOLE_ADDRESS} bytes at most, and this one is said to have {size}"
    return None


def _of_socket(call: FailedCall, held: socket.socket) -> str | None:
    if call.error == errno.EINVAL and call.operation == "bind" and (name := held.getsockname()):
        return f"the socket is bound already, to {_name(name)}, and a socket is bound once"
    if (
        call.error == errno.EINVAL
        and call.name == "connect"
        and held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        return "the socket itself listens, and one that listens does not connect"
    return _of_message(call, held) if call.name in _SENDING else None


def _of_message(call: FailedCall, held: socket.socket) -> str | None:
    if call.error == errno.EOPNOTSUPP:
        if held.type == socket.SOCK_STREAM:
            return "a stream socket sends to whom it is connected to, and takes no address: connect it first"
        return "the message is to be sent out of band (MSG_OOB), which only a stream socket may do"
    if call.error == errno.EMSGSIZE:
        room = held.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        return f"the message is longer than the socket's buffer, which holds {room} bytes (SO_SNDBUF), allows"
    if call.error == errno.EAGAIN:
        return (
            "the receiver has not read what was sent before: its queue (net.unix.max_dgram_qlen) or the sender's "
            "buffer (SO_SNDBUF) is full, so a sender that does not block is told EAGAIN, and one that does waits"
        )
    if call.error == errno.EPIPE:
        return "the sender has shut down its writing or the receiver its reading (shutdown(2))"
    if call.error == errno.EINVAL and call.name in _MESSAGES:
        return "what the message has beside its bytes, such as its control messages, is not of the form that is asked"
    return None


def by_its_flags(call: FailedCall) -> str | None:
    """Why a call on files failed, which without its flags would have gone otherwise; None if they are no reason."""
    path, flags = call.path, call.flags
    if call.error == errno.EINVAL and flags & ~_KNOWN_FLAGS.get(call.name, flags):
        return f"{call.name} has no such flags: {flags:#x}"
    if call.name == "unlinkat" and flags & _AT_REMOVEDIR and call.error == errno.ENOTDIR:
        return f"with AT_REMOVEDIR it is a directory that is to be removed, and {path} is none"
    if call.name == "renameat2":
        return _of_rename(call)
    if call.link and call.operation == "chmod" and call.error == errno.EOPNOTSUPP:
        return f"{path} is a symlink, whose own mode can't be changed (AT_SYMLINK_NOFOLLOW)"
    if call.operation == "chown" and call.error == errno.EINVAL:
        return f"the user or the group that {path} is to be given to has no number in the user namespace"
    return None


def _of_rename(call: FailedCall) -> str | None:
    if call.error == errno.EEXIST and call.flags & _NOREPLACE:
        return f"{call.to} is there already, and is not to be replaced (RENAME_NOREPLACE)"
    if call.error == errno.ENOENT and call.flags & _EXCHANGE:
        return f"there is no {call.to} that {call.path} could be exchanged with (RENAME_EXCHANGE)"
    if call.error == errno.EPERM and call.flags & _WHITEOUT:
        return "to leave a whiteout behind (RENAME_WHITEOUT) takes CAP_MKNOD"
    if call.error == errno.EINVAL and call.flags:
        return f"these flags together are not taken by renameat2, or not by this file system: {call.flags:#x}"
    return None


def _name(address: str | bytes) -> str:
    """A socket's name as it is written here."""
    return address if isinstance(address, str) else "@" + os.fsdecode(address[1:])
