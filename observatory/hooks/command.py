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
from typing import Final, Literal, get_args

from observatory.address import DEFAULT_SOCKET, PRIVATE_DIRECTORY, PRIVATE_NAME, SOCKET_VARIABLE

CONNECT_SECONDS: Final = "0.3"
TOTAL_SECONDS: Final = "0.7"
"""The most that curl waits for a server that hangs: with the start of the processes, even on a busy machine, a hook
then takes less than a second."""

CLIENT_SECONDS: Final = 2
"""After this the client itself ends the hook, whatever it hangs on (a dead network file system, say)."""

_MARK: Final = "observatory="
"""How such a command begins."""

Place = Literal["own", "sure", "shared", "unknown"]
"""What was seen of a socket's directory when the hook was installed (`observatory.hooks.place`).

own: it was the user's own, and so was the socket, if there was one. sure: nobody but root and the server's users could
make a name there or above. shared: everybody could make names there, so only the private directory counts. unknown:
none of these, or the command is for more than one user or machine.
"""

_OWN_LOOK: Final = '[ -O . ] && [ ! -k . ] && [ -O "$s" ] && [ ! -L "$s" ]'


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a hook sends its event. `socket` is an absolute path, or `None`: the environment's, at run time.

    `server_uids` are the users whose server may be spoken to, beside the hook's own user and root.
    """

    socket: str | None
    server_uids: tuple[int, ...] = ()
    place: Place = "unknown"


def hook_command(event: str, recipient: Recipient) -> str:
    """The command for one event.

    A name that a server has given up may be another user's before curl connects to it, even in a directory with a
    sticky bit. So nothing depends on the whole path: the shell goes into the directory of the socket, of its private
    one if there is that. From then on it is that directory, whatever becomes of its name, and something is sent only
    from one in which nobody else can make a socket. The shell itself sees that directory and socket are the user's own
    (`[ -O ]`). If they are not, `find` says whether both are root's or a named user's, and whether others may write in
    the directory; of one's own only the sticky bit is looked at, since more would take a process. Of what is neither
    root's nor a named user's `find` asks `test -O`, which takes one more; and beside `-exec` it prints only if told to.

    What was seen at the installation is not looked for again: of one's `own` place the shell's look is enough, and in
    a `sure` one no name can be another's, as long as root and the server's users leave it so. There the shell sees
    whether everybody may write: that the user may not, who neither owns it nor is root.

    `cat` takes the input if nobody else does, since the client reports a hook that leaves it unread.

    `-q` keeps the user's .curlrc out, `--noproxy` the proxies of the environment, and the empty `Expect` spares
    the wait for a `100 Continue` with large bodies.
    """
    return (
        f"{_MARK}{_socket_words(recipient.socket)}; {{ {_look(recipient)} && "
        f"curl -qs --noproxy '*' --connect-timeout {CONNECT_SECONDS} -m {TOTAL_SECONDS} --unix-socket \"$s\" "
        "-H 'Content-Type: application/json' -H Expect: --data-binary @- "
        f"'http://localhost/hook?event={event}' || cat; }} >/dev/null 2>&1 || :"
    )


def _look(recipient: Recipient) -> str:
    """Go into the socket's directory, name the socket `$s`, and see that nobody else can have made it."""
    beside = 's=./${observatory##*/}; cd "${observatory%/*}/"'
    if recipient.place == "own":
        return f"{beside} && {_OWN_LOOK}"
    if recipient.place == "sure":
        return f'{beside} && [ ! -w . ] && [ -S "$s" ]'
    owners = " -o ".join(["-user 0", *(f"-user {uid}" for uid in recipient.server_uids), r"-exec test -O {} \;"])
    inside = f's=./{PRIVATE_NAME}; cd "$observatory{PRIVATE_DIRECTORY}/"'
    enter = inside if recipient.place == "shared" else f"{{ {inside} || {{ {beside}; }}; }}"
    return (
        f'{enter} && [ -S "$s" ] && {{ {_OWN_LOOK} || {{ x=$(find . "$s" -prune ! '
        f'\\( \\( {owners} \\) \\( -type s -o ! -perm -020 ! -perm -002 \\) \\) -print) && [ -z "$x" ]; }}; }}'
    )


def _socket_words(socket: str | None) -> str:
    """What the variable is set to; without a path, what `observatory.address.default_socket` would say, nearly."""
    if socket is not None:
        return shlex.quote(socket)
    return (
        f"${{{SOCKET_VARIABLE}:-$XDG_RUNTIME_DIR/{os.path.basename(DEFAULT_SOCKET)}}}; "
        f'[ -S "$observatory" ] || observatory=${{{SOCKET_VARIABLE}:-{DEFAULT_SOCKET}}}'
    )


def is_hook_command(command: object) -> bool:
    """Whether a command of a settings file is one of these, of whatever version, socket or event."""
    return isinstance(command, str) and command.startswith(_MARK)


def recipient_of(event: str, command: str) -> Recipient | None:
    """To whom a command sends which is what this version installs for that event; `None` for any other."""
    uids = tuple(sorted({int(uid) for uid in re.findall(r"-user ([1-9]\d{0,9})\b", command)}))
    socket = socket_of(command)
    fitting = (Recipient(socket, uids, place) for place in get_args(Place))
    return next((each for each in fitting if command == hook_command(event, each)), None)


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
    socket = word.partition("=")[2].removesuffix(";")
    return socket if socket.startswith("/") else None
