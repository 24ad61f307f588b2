"""Containers of Docker's engine, of which a test asks more than the harness does."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from docker.utils.socket import frames_iter

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from docker.models.containers import Container

STAYS_UNTIL_READ = '"$@" </dev/null 2>&1; printf "%s%s\\n" "$0" $?; read -r _'
"""A shell that runs a command, says a word and the command's exit status, and does not end before it is told to."""


def run(
    container: Container, command: Sequence[str], environment: Mapping[str, str] | None = None, user: str = ""
) -> tuple[int, str]:
    """Run a command in a running container that has a shell; its exit status, and what it wrote.

    The engine waits two seconds for the last words of what has ended, and then drops them: on a machine with much to do
    a command would succeed and have said nothing. So what runs there ends only once all of it was read.
    """
    assert container.client is not None
    engine = container.client.api
    word = secrets.token_hex(16)
    created = engine.exec_create(
        container.id,
        ["sh", "-c", STAYS_UNTIL_READ, word, *command],
        stdin=True,
        environment=dict(environment or {}),
        user=user,
    )
    file: Any = engine.exec_start(created["Id"], socket=True)
    # For a Unix socket docker's library wraps the socket in a file object, of which only the socket is of use.
    connection: socket.socket = getattr(file, "_sock", file)
    with file, connection:
        said = b""
        for _, piece in frames_iter(connection, tty=False):
            said += piece
            if found := re.search(rb"%b(\d+)\n\Z" % word.encode(), said):
                connection.sendall(b"\n")
                return int(found[1]), said[: found.start()].decode(errors="replace")
    raise AssertionError(f"{command} did not come to its end in the container: {said.decode(errors='replace')}")
