"""The kernel's audit system over netlink: its state, its rules, and the records that it makes (linux/audit.h)."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.audit.error import AuditError

if TYPE_CHECKING:
    from types import TracebackType

NETLINK_AUDIT: Final = 9  # linux/netlink.h
AUDIT_GET: Final = 1000
AUDIT_SET: Final = 1001
AUDIT_ADD_RULE: Final = 1011
AUDIT_DEL_RULE: Final = 1012
AUDIT_LIST_RULES: Final = 1013
AUDIT_NLGRP_READLOG: Final = 1
AUDIT_STATUS_ENABLED: Final = 0x01
AUDIT_STATUS_BACKLOG_LIMIT: Final = 0x10
LOCKED: Final = 2
"""The state in which nothing may be changed until the next start of the machine (auditctl(8), -e)."""
_NLMSG_ERROR: Final = 2
_NLMSG_DONE: Final = 3
_NLM_F_REQUEST_ACK: Final = 0x5
_HEADER: Final = struct.Struct("=IHHII")
_STATUS: Final = struct.Struct("=10I")
_LARGEST: Final = 1 << 16
_ROOM: Final = 8 << 20
"""Bytes of records that may wait to be read."""
_SECONDS: Final = 5.0
_FOR_ROOT: Final = (
    "the audit system is for root of the whole machine (CAP_AUDIT_CONTROL and CAP_AUDIT_READ): run this as root, "
    "outside of containers"
)
_REFUSED: Final = {
    errno.EPERM: _FOR_ROOT,
    errno.EACCES: _FOR_ROOT,
    errno.ECONNREFUSED: (
        "the audit system answers in the first user and process namespaces alone: run this outside of containers"
    ),
    errno.EPROTONOSUPPORT: "this kernel has no audit system (CONFIG_AUDIT)",
    errno.EINVAL: "this kernel does not select audited calls by the family of an address, which takes Linux 5.3",
}


@dataclass(frozen=True, slots=True)
class Status:
    """`enabled` is 0, 1 or `LOCKED`; `backlog_limit` is how many records may wait for whoever reads them."""

    enabled: int
    backlog_limit: int


class Kernel:
    """A connection to the audit system. Each method raises AuditError."""

    def __init__(self) -> None:
        self._socket = _opened()
        self._socket.settimeout(_SECONDS)
        self._asked = 0

    def __enter__(self) -> Kernel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def status(self) -> Status:
        """How it stands."""
        (data,) = self._ask(AUDIT_GET, replies=1)
        _mask, enabled, _failure, _pid, _rate, limit, *_ = _STATUS.unpack_from(data)
        return Status(enabled, limit)

    def set_enabled(self, enabled: int) -> None:
        """Switch it on (1) or off (0)."""
        self._ask(AUDIT_SET, _STATUS.pack(AUDIT_STATUS_ENABLED, enabled, *[0] * 8))

    def set_backlog_limit(self, limit: int) -> None:
        """How many records may wait."""
        self._ask(AUDIT_SET, _STATUS.pack(AUDIT_STATUS_BACKLOG_LIMIT, *[0] * 4, limit, *[0] * 4))

    def add(self, rule: bytes) -> None:
        """Add a rule (struct audit_rule_data)."""
        self._ask(AUDIT_ADD_RULE, rule)

    def delete(self, rule: bytes) -> None:
        """Delete a rule that is like this one."""
        self._ask(AUDIT_DEL_RULE, rule)

    def rules(self) -> list[bytes]:
        """Every rule."""
        return self._ask(AUDIT_LIST_RULES, until_done=True)

    def _ask(self, kind: int, data: bytes = b"", *, replies: int = 0, until_done: bool = False) -> list[bytes]:
        """The replies to a request; the kernel acknowledges it before or after these."""
        self._asked += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(data), kind, _NLM_F_REQUEST_ACK, self._asked, 0) + data)
        answers: list[bytes] = []
        acknowledged = False
        while not acknowledged or len(answers) < replies or until_done:
            try:
                message = self._socket.recv(_LARGEST)
            except TimeoutError as error:
                raise AuditError("the kernel's audit system does not answer") from error
            _length, answer, _flags, number, _port = _HEADER.unpack_from(message)
            if number != self._asked:
                continue
            if answer == _NLMSG_ERROR:
                code = -struct.unpack_from("=i", message, _HEADER.size)[0]
                if code:
                    raise _refused(code)
                acknowledged = True
            elif answer == _NLMSG_DONE:
                until_done = False
            else:
                answers.append(message[_HEADER.size :])
        return answers


def listening() -> socket.socket:
    """A socket that receives every record from now on; one message is one record. Raises AuditError."""
    listener = _opened()
    try:
        # Beyond the limit that others have (net.core.rmem_max); root of the whole machine may.
        listener.setsockopt(socket.SOL_SOCKET, 33, _ROOM)  # SO_RCVBUFFORCE, asm-generic/socket.h
        listener.bind((0, AUDIT_NLGRP_READLOG))
    except OSError as error:
        listener.close()
        raise _refused(error.errno or 0) from error
    return listener


def received(listener: socket.socket) -> tuple[int, str] | None:
    """A record's type and text; None for what is not the kernel's. Raises OSError (ENOBUFS) where some were dropped."""
    message, (sender, _groups) = listener.recvfrom(_LARGEST)
    if sender != 0:
        return None
    _length, kind, _flags, _sequence, _port = _HEADER.unpack_from(message)
    return kind, message[_HEADER.size :].rstrip(b"\0").decode("utf-8", "surrogateescape")


def _opened() -> socket.socket:
    if sys.platform != "linux":
        raise AuditError(
            "the calls that fail on a whole machine are recorded by Linux's audit system, and this is none"
        )
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_AUDIT)
    except OSError as error:
        raise _refused(error.errno or 0) from error


def _refused(code: int) -> AuditError:
    return AuditError(_REFUSED.get(code, f"the audit system refuses it: {os.strerror(code)}"))
