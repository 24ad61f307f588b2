"""A protocol that is described by data: what to send, what to expect, where the answer says whom the server saw."""

from __future__ import annotations

import os
import pwd
import re
from typing import TYPE_CHECKING

from harness.inside.credentials import user_name
from harness.inside.dialects.answer import Answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping
    from typing import Any, Literal

    from harness.inside.dialects.answer import Claims

SEEN = ("pid", "uid", "gid", "user")
"""Names of groups in a pattern by which the server says whom it saw."""


class Exchange:
    """A dialect made of steps, each `send` and `expect` (a regular expression); `refused` is one for a refusal.

    Texts are Latin-1, so that each character is a byte. In what is sent, `{token}`, `{uid}` and `{user}` stand for the
    request's token and for who asks (or whose name is claimed). `begin` is the beginning of a request.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._begin = str(description.get("begin", ""))
        self._steps = [(str(step.get("send", "")), re.compile(str(step["expect"]))) for step in description["steps"]]
        self._refused = re.compile(str(description["refused"])) if "refused" in description else None
        named = {name for _, pattern in self._steps for name in pattern.groupindex}
        self.TELLS: Literal["answer"] | None = "answer" if named & {*SEEN} else None

    def begin(self, connection: socket.socket) -> None:
        """Send the beginning of a request."""
        connection.sendall(self._begin.encode("latin-1"))

    def ask(self, connection: socket.socket, token: str, claims: Claims) -> Answer:
        """Go through all steps. Raises EOFError if the server hangs up before one is answered."""
        user = claims.user or user_name(os.geteuid()) or str(os.geteuid())
        values = {"token": token, "user": user, "uid": str(_uid(user))}
        seen: dict[str, Any] = {}
        said = ""
        for send, expect in self._steps:
            text = send
            for name, value in values.items():
                text = text.replace("{" + name + "}", value)
            connection.sendall(text.encode("latin-1"))
            said = ""
            while (found := expect.search(said)) is None:
                if self._refused is not None and self._refused.search(said):
                    return Answer("refused", said.strip())
                piece = connection.recv(65536)
                if not piece:
                    raise EOFError("no answer")
                said += piece.decode("latin-1")
            for name, value in found.groupdict().items():
                if name in SEEN and value is not None:
                    seen[name] = value if name == "user" else int(value)
        return Answer("accepted", said.strip(), seen or None)


def _uid(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return os.geteuid()
