"""Somebody tells lies about who they are, in every place where a server might look."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from harness.inside.dialects import ask_on
from harness.inside.dialects.answer import Claims
from harness.inside.probes.endpoint import connect, name
from harness.inside.probes.person import myself

if TYPE_CHECKING:
    from typing import Any

CREDENTIALS = getattr(socket, "SCM_CREDENTIALS", 2)


class Forging(socket.socket):
    """A connection whose every message carries credentials of our choice (SCM_CREDENTIALS, unix(7)).

    `sent` is `ok`, or the errno name of the kernel's refusal, after which it sends plainly.
    """

    sent = ""

    def forge(self, ids: list[int]) -> None:
        """Claim to be this pid (0: our own), uid and gid."""
        pid, uid, gid = ids
        self.claim = array.array("B", struct.pack("iII", pid or os.getpid(), uid, gid))

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        """Send with the claim."""
        try:
            count = self.sendmsg([data], [(socket.SOL_SOCKET, CREDENTIALS, self.claim)])
            self.sent = "ok"
        except OSError as error:
            count, self.sent = 0, name(error)
        super().sendall(data[count:], flags)


def main(endpoint: str, speaks: str, who: str, lies: list[dict[str, Any]], seconds: float) -> None:
    """Print one JSON line for each lie: `label, token, process, kind, text, seen`, and what sendmsg said, if it was
    asked."""
    for number, lie in enumerate(lies):
        said: dict[str, Any] = {"label": lie["label"], "token": f"lie-{number}-of-{who}", "process": myself()}
        try:
            connection = connect(endpoint, seconds)
        except OSError as error:
            print(json.dumps({**said, "kind": name(error), "text": "", "seen": None}))
            continue
        if "ids" in lie:
            connection = forging = Forging(fileno=connection.detach())
            forging.settimeout(seconds)
            forging.forge(lie["ids"])
        with connection:
            claims = Claims(lie.get("body", {}), lie.get("headers", {}), lie.get("query", ""), lie.get("user"))
            answer = ask_on(connection, speaks, said["token"], claims)
            said["sendmsg"] = connection.sent if isinstance(connection, Forging) else None
        print(json.dumps({**said, "kind": answer.kind, "text": answer.text, "seen": answer.seen}))
