"""A socket that gives the answers which this kernel does not."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, cast

from observatory.identity import linux
from observatory.identity.sockets import AF_UNIX

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping


class Answering:
    """A connected Unix socket (as far as it says) that answers each option with bytes, a number or an errno."""

    family = AF_UNIX

    def __init__(self, answers: Mapping[str, bytes | int]) -> None:
        self._answers = {getattr(linux, option): answer for option, answer in answers.items()}
        self._answers.setdefault(linux.SO_ACCEPTCONN, b"")

    def getsockopt(self, level: int, option: int, room: int = 0) -> bytes:
        assert level == linux.SOL_SOCKET
        answer = self._answers.get(option, errno.ENOPROTOOPT)
        if isinstance(answer, bytes):
            if len(answer) > room > 0:
                raise OSError(errno.ERANGE, "too little room")
            return answer
        raise OSError(answer, os.strerror(answer))


def answering(**answers: bytes | int) -> socket.socket:
    """Such a socket, by the names of the options; all that is asked of it is `family` and `getsockopt`."""
    return cast("socket.socket", Answering(answers))


def ucred(pid: int, uid: int, gid: int) -> bytes:
    return struct.pack("=iII", pid, uid, gid)
