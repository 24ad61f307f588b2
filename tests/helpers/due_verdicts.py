"""The verdicts that are due: which checks real servers do not hold, or are not asked."""

from __future__ import annotations

NO_IDENTITY = {"identity": "not applicable", "forgery": "not applicable"}
NEW_NAME = dict.fromkeys(("takeover-live", "takeover-stale", "takeover-foreign", "squatting"), "not applicable")
NO_FILE = dict.fromkeys(
    ("creation-window", "umask", "takeover-foreign", "squatting", "replacement", "lifetime"), "not applicable"
)

DUE: dict[str, dict[str, str]] = {
    "observatory": {},
    # It takes whatever bears its socket's name for its own once it has its lock file; it has no limit for each
    # user; and what COPY TO PROGRAM starts inherits sockets and data files, until version 16.
    "postgresql": {"takeover-foreign": "broken", "flood": "broken", "inherited": "broken"},
    "postgresql-17": {"takeover-foreign": "broken", "flood": "broken"},
    # It unlinks first and asks later, and takes the name from a squatter too, as root may; it has no limit for each
    # user. What it has belongs to all who are let in.
    "dockerd": {
        **NO_IDENTITY,
        **dict.fromkeys(("audience", "squatting"), "not applicable"),
        "takeover-foreign": "broken",
        "flood": "broken",
    },
    # The program that asks the user for a confirmation inherits the listening socket and the connections.
    "ssh-agent": {**NO_IDENTITY, **NEW_NAME, "inherited": "broken"},
    # A port has neither mode nor owner nor directory, and whoever connects has no name.
    "tcp": {
        **NO_FILE,
        **dict.fromkeys(("mode", "traversal", "identity", "forgery", "audience", "flood"), "broken"),
    },
    # systemd-socket-activate takes no mode, removes what bears the name, and leaves its socket.
    "socket-activation": {
        **NO_IDENTITY,
        **dict.fromkeys(("audience", "umask"), "not applicable"),
        **dict.fromkeys(("mode", "takeover-live", "takeover-foreign", "lifetime"), "broken"),
    },
}
"""Of each subject, by the name of the check; all others are held."""
