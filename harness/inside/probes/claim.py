"""Somebody tells lies about who they are, in every place where a server might look."""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.credentials import named
from harness.inside.dialects import ask_on
from harness.inside.dialects.answer import Claims
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    from harness.inside.reports import ClaimReport, Lie

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
            count, self.sent = 0, errnos.name(error)
        super().sendall(data[count:], flags)


def main(endpoint: str, speaks: str, who: str, lies: list[Lie], seconds: float) -> None:
    """Print a `ClaimReport` for each lie."""
    for number, lie in enumerate(lies):
        report: ClaimReport = {
            "label": lie["label"],
            "token": f"lie-{number}-of-{who}",
            "process": named(),
            "kind": "",
            "text": "",
            "seen": None,
            "sendmsg": None,
        }
        try:
            connection = connect(endpoint, seconds)
        except OSError as error:
            report["kind"] = errnos.name(error)
            print(json.dumps(report))
            continue
        if "ids" in lie:
            connection = forging = Forging(fileno=connection.detach())
            forging.settimeout(seconds)
            forging.forge(lie["ids"])
        with connection:
            claims = Claims(lie.get("body", {}), lie.get("headers", {}), lie.get("query", ""), lie.get("user"))
            answer = ask_on(connection, speaks, report["token"], claims)
            report["sendmsg"] = connection.sent if isinstance(connection, Forging) else None
        report["kind"], report["text"], report["seen"] = answer
        print(json.dumps(report))
