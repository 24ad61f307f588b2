"""A client that sends events as hooks do, over one connection."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.helpers.unix_http import Connection, post

if TYPE_CHECKING:
    from collections.abc import Iterable

IDLE = 3.0
"""Seconds for which a connection is used again; the server closes one on which nothing is said for a while."""
BATCH = 200


class HookClient(Connection):
    """It connects when there is something to say, and as often as is needed."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._used = 0.0

    def say(self, event: str, **fields: Any) -> None:
        if time.monotonic() - self._used > IDLE:
            self.close()
        self._used = time.monotonic()
        self.request("POST", f"/hook?event={event}", json.dumps(fields))
        response = self.getresponse()
        response.read()
        assert response.status == 200

    def say_all(self, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Send many without waiting for each answer (HTTP/1.1 pipelining), a few hundred at a time."""
        self.close()
        self.connect()
        self._used = time.monotonic()
        batch: list[bytes] = []
        for event, fields in events:
            batch.append(post(json.dumps(fields).encode(), event))
            if len(batch) == BATCH:
                self._exchange(batch)
                batch = []
        self._exchange(batch)

    def _exchange(self, batch: list[bytes]) -> None:
        if not batch:
            return
        self.sock.sendall(b"".join(batch))
        answers, left = b"", len(batch)
        while left:
            data = self.sock.recv(1 << 16)
            assert data, "the server closed the connection"
            answers += data
            found = answers.count(b"\r\n\r\n")
            others = [answer for answer in answers.split(b"\r\n\r\n") if not b"HTTP/1.1 200 ".startswith(answer[:13])]
            assert not others, others[:2]
            left -= found
            answers = answers.rpartition(b"\r\n\r\n")[2] if found else answers
