"""The shell command that a hook runs: hand the event to the server, say nothing, never fail, never linger.

Claude Code runs it by the user's shell (`sh`, `bash` or `zsh`, as `-c COMMAND`) with the event's JSON on its
standard input. It reads the command's standard output as a decision or as context for the model and shows
the user a failure, so the command prints nothing and always exits with 0.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from typing import Final

from observatory.address import DEFAULT_SOCKET, PRIVATE_DIRECTORY, PRIVATE_NAME, SOCKET_VARIABLE

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

    A name that a server has given up may be another user's before curl connects to it, even in a directory with a
    sticky bit. So nothing depends on the whole path: the shell goes into the directory of the socket, of its private
    one if there is that. From then on it is that directory, whatever becomes of its name, and something is sent only
    from one in which nobody else can make a socket. The shell itself sees that directory and socket are the user's own
    (`[ -O ]`). If they are not, `find` says whether both are root's or a named user's, and whether others may write in
    the directory; of one's own only the sticky bit is looked at, since more would take a process. Of what is neither
    root's nor a named user's `find` asks `test -O`, which takes one more; and beside `-exec` it prints only if told to.

    `cat` takes the input if nobody else does, since the client reports a hook that leaves it unread.

    `-q` keeps the user's .curlrc out, `--noproxy` the proxies of the environment, and the empty `Expect` spares
    the wait for a `100 Continue` with large bodies.
    """
    owners = " -o ".join(["-user 0", *(f"-user {uid}" for uid in recipient.server_uids), r"-exec test -O {} \;"])
    return (
        f"{_MARK}{_socket_words(recipient.socket)}; "
        f'{{ {{ s=./{PRIVATE_NAME}; cd "$observatory_socket{PRIVATE_DIRECTORY}/" || '
        '{ s=./${observatory_socket##*/}; cd "${observatory_socket%/*}/"; }; } && [ -S "$s" ] && '
        '{ [ -O . ] && [ ! -k . ] && [ -O "$s" ] && [ ! -L "$s" ] || '
        f'{{ x=$(find . "$s" -prune ! \\( \\( {owners} \\) \\( -type s -o ! -perm -020 ! -perm -002 \\) \\) -print) && '
        '[ -z "$x" ]; }; } && '
        f"curl -q -s --noproxy '*' --connect-timeout {CONNECT_SECONDS} --max-time {TOTAL_SECONDS} "
        "--unix-socket \"$s\" -X POST -H 'Content-Type: application/json' -H 'Expect:' --data-binary @- "
        f"'http://localhost/hook?event={event}' || cat; }} >/dev/null 2>&1 || true"
    )


def _socket_words(socket: str | None) -> str:
    """What the variable is set to; without a path, what `observatory.address.default_socket` would say, nearly."""
    if socket is not None:
        return shlex.quote(socket)
    return (
        f"${{{SOCKET_VARIABLE}:-$XDG_RUNTIME_DIR/{os.path.basename(DEFAULT_SOCKET)}}}; "
        f'[ -S "$observatory_socket" ] || observatory_socket=${{{SOCKET_VARIABLE}:-{DEFAULT_SOCKET}}}'
    )


def is_hook_command(command: object) -> bool:
    """Whether a command of a settings file is one of these, of whatever version, socket or event."""
    return isinstance(command, str) and command.startswith(_MARK)


def is_current(event: str, command: str) -> bool:
    """Whether a command is what this version installs for that event, for whatever server."""
    uids = sorted({int(uid) for uid in re.findall(r"-user ([1-9]\d{0,9})\b", command)})
    return command == hook_command(event, Recipient(socket_of(command), tuple(uids)))


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
