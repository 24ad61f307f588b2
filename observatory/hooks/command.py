"""The shell command that a hook runs: hand the event to the server, say nothing, never fail, never linger.

Claude Code runs it by the user's shell (`sh`, `bash` or `zsh`, as `-c COMMAND`) with the event's JSON on its
standard input. It reads the command's standard output as a decision or as context for the model and shows
the user a failure, so the command prints nothing and always exits with 0.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from observatory.address import DEFAULT_SOCKET, SOCKET_VARIABLE

CONNECT_SECONDS: Final = "0.3"
TOTAL_SECONDS: Final = "0.7"
"""The most that curl waits for a server that hangs: with the start of the processes, even on a busy machine, a hook
then takes less than a second."""

CLIENT_SECONDS: Final = 2
"""After this the client itself ends the hook, whatever it hangs on (a dead network file system, say)."""

_MARK: Final = "observatory_socket="


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a hook sends its event. `socket` is an absolute path, or `None`: the environment's, at run time.

    `server_uids` are the users whose server may be spoken to, beside the hook's own user and root.
    """

    socket: str | None
    server_uids: tuple[int, ...] = ()


def hook_command(event: str, recipient: Recipient) -> str:
    """The command for one event.

    Before anything is sent, `find` shows that the path is a socket (not a symbolic link to one: its owner could
    point it elsewhere between the look and the connect) and who owns it. A socket belongs to the user who
    bound it, so another user's server gets nothing, wherever it squats. Of find, `-prune`, `-type` and
    `-user` are used, which POSIX has; `cat` takes the input if nobody else does, since the client reports a hook
    that leaves it unread.

    `-q` keeps the user's .curlrc out, `--noproxy` the proxies of the environment, and the empty `Expect` spares
    the wait for a `100 Continue` with large bodies.
    """
    owners = ['-user "$(id -u)"', "-user 0", *(f"-user {uid}" for uid in recipient.server_uids)]
    return (
        f"{_MARK}{_socket_word(recipient.socket)}; "
        f'{{ [ -n "$(find "$observatory_socket" -prune -type s \\( {" -o ".join(owners)} \\))" ] && '
        f"curl -q -s --noproxy '*' --connect-timeout {CONNECT_SECONDS} --max-time {TOTAL_SECONDS} "
        '--unix-socket "$observatory_socket" -X POST '
        "-H 'Content-Type: application/json' -H 'Expect:' --data-binary @- "
        f"'http://localhost/hook?event={event}' || cat; }} >/dev/null 2>&1 || true"
    )


def _socket_word(socket: str | None) -> str:
    if socket is None:
        return f'"${{{SOCKET_VARIABLE}:-{DEFAULT_SOCKET}}}"'
    return shlex.quote(socket)


def is_hook_command(command: object) -> bool:
    """Whether a command of a settings file is one of these, of whatever version, socket or event."""
    return isinstance(command, str) and command.startswith(_MARK)


def socket_of(command: str) -> str | None:
    """The socket to which such a command sends.

    `None` if the environment says that at run time, or if it is another command.
    """
    if not is_hook_command(command):
        return None
    try:
        word = shlex.split(command)[0]
    except ValueError:  # someone has edited it
        return None
    socket = word.removeprefix(_MARK).removesuffix(";")
    return socket if socket.startswith("/") else None
