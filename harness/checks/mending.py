"""What the author of a server can do about what a check found broken: for every server, and by language."""

from __future__ import annotations

import re

PYTHON = re.compile(r"(^|/)python[\d.]*$")

ADVICE = {
    "mode": (
        "Give the socket its mode before anybody can come: fchmod(fd, mode) before bind (Linux), or "
        "umask(0777 & ~mode) around bind, then listen; and give it to its group before it gets its mode."
    ),
    "traversal": (
        "Leave the directories as they are, and listen at that one path alone; if another door is meant, say so with "
        "--door."
    ),
    "identity": (
        "Ask the kernel at each accept(): getsockopt(SO_PEERCRED) on that very connection, unpacked as unsigned ids, "
        "and keep the answer with the connection."
    ),
    "forgery": "Take who a client is from SO_PEERCRED alone, and put it over whatever the client says, not under it.",
    "audience": "Compare the reader's uid with the owner's of each datum, and refuse whose uid is not known.",
    "creation-window": (
        "Bind with no permission at all (fchmod(fd, 0) before bind, or umask 0777 around it), then chown, then chmod, "
        "and listen last."
    ),
    "umask": "Set the mode by chmod after bind and before listen, so that it does not depend on the umask.",
    "takeover-live": (
        "Hold a lock file beside the socket (flock) as long as the server runs, or connect to what is there first, and "
        "end with an error if somebody answers."
    ),
    "takeover-stale": "Remove a socket of your own at which connect() says ECONNREFUSED before you bind.",
    "takeover-foreign": (
        "Before unlink, lstat the name: remove it only if it is a socket (S_ISSOCK), is your own user's and refuses a "
        "connection (ECONNREFUSED); else end with an error."
    ),
    "squatting": (
        "End with a failure and a sentence when bind says EADDRINUSE, and let the client compare the server's uid "
        "(SO_PEERCRED) with the one that it expects before it says anything. A directory that is there already must be "
        "the server's own user's and closed to others, before anything is made in it."
    ),
    "replacement": "Keep the socket in a directory in which nobody else may write, or that has the sticky bit.",
    "lifetime": (
        "Note device and inode of the socket after bind, and at the end unlink the name only if lstat still says these."
    ),
    "slow-peer": "Read from all clients at once (poll, threads), and give each request a deadline.",
    "flood": "Bound how many connections one uid may hold (SO_PEERCRED tells whose each is), below the limit of files.",
    "descriptor-leak": "Close a connection on every way out, also when the client hangs up in the middle.",
    "inherited": "Open every socket with SOCK_CLOEXEC and accept with accept4(SOCK_CLOEXEC), or close them after fork.",
}
"""By check, for a server in any language."""

IN_PYTHON = {
    "mode": "In Python: os.fchmod(sock.fileno(), mode) before sock.bind(path).",
    "creation-window": "In Python: os.fchmod(sock.fileno(), 0); sock.bind(path); os.chmod(path, mode); sock.listen().",
    "identity": 'In Python: struct.unpack("iII", conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)).',
    "takeover-live": "In Python: fcntl.flock(open(path + '.lock', 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB), kept open.",
    "takeover-foreign": "In Python: there = os.lstat(path), then stat.S_ISSOCK(there.st_mode) and there.st_uid.",
    "lifetime": "In Python: made = os.lstat(path) after bind; os.path.samestat(made, os.lstat(path)) before os.unlink.",
    "inherited": "In Python, sockets are close-on-exec unless set_inheritable(True) or close_fds=False undoes it.",
    "umask": "In Python: os.chmod(path, mode) between bind and listen.",
    "slow-peer": "In Python: socketserver.ThreadingUnixStreamServer, or asyncio with asyncio.timeout around each read.",
}
"""The same, where the server is a Python program."""

GO_ON = (
    "Keep the server running whatever a client does and however it hangs up: catch the errors of one connection, and "
    "ignore SIGPIPE."
)
"""Of a server that ended while it was attacked, whatever else was seen."""


def advice(check: str, program: str) -> str:
    """How to mend what a check found broken, for a server whose program is at that path."""
    more = IN_PYTHON.get(check, "") if PYTHON.search(program) else ""
    return " ".join(part for part in (ADVICE.get(check, ""), more) if part)
