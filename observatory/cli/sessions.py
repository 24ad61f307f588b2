"""`observatory sessions`: what each session is doing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from observatory.cli.remarks import remark
from observatory.cli.server_options import add_server_options, client
from observatory.errors import ExitStatus
from observatory.text import printable

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from observatory.client.client import Client
    from observatory.sessions.state import Session

HEADINGS: Final = ("SESSION", "USER", "STATE", "FOR", "TOOL", "LAST EVENT", "AGO", "AGE", "PROJECT")
LATEST: Final = 1000
"""So many of all events are looked at for sessions whose start was not recorded."""
TAIL: Final = 128
"""So many of a session's events tell its state."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sessions`."""
    parser = subparsers.add_parser(
        "sessions",
        help="show what each session is doing",
        description="Show each session's state and for how long, its last event and how long ago that was, its age, "
        "its project and its user; the latest first. States: fresh (nothing asked yet), working (a model answers), "
        "running a tool, waiting for permission, waiting for an answer, idle (the turn is over), ended (it said so "
        "itself), dead (the kernel reported the end of its process). A client sends no event at Esc: after five "
        "minutes without an event such a state is shown with 'no news'. Shows the sessions whose events you may see, "
        "except for idle ones that have had no event for 12 hours.",
    )
    add_server_options(parser)
    parser.add_argument("--all", action="store_true", help="also those that have had no event for 12 hours")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole session id")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fetch, tell, print."""
    from observatory.feed.row import milliseconds
    from observatory.sessions.state import is_old, sessions

    events = relevant(client(options))
    transcripts = _transcripts(events)
    known, now = sessions(events), time.time_ns() // 1_000_000
    if not known:
        remark("sessions", "no session is recorded that you may see")
    recent = [each for each in known if options.all or not is_old(each.state, milliseconds(each.last), now)]
    found = [_as_its_transcript_says(session, transcripts) for session in recent]
    if options.json:
        _print_json(found)
        return ExitStatus.DONE
    _print_table(found)
    if old := len(known) - len(recent):
        print(f"{old} more, of which nothing was heard for 12 hours: --all shows them")
    return ExitStatus.DONE


def relevant(server: Client) -> list[dict[str, Any]]:
    """The events that tell each session's state, out of perhaps millions: where it began and ended, and its latest."""
    from observatory.events import LONGEST_NAME
    from observatory.sessions.state import DEAD

    events: dict[int, dict[str, Any]] = {}
    over: dict[tuple[int | None, str], bool] = {}

    def take(query: dict[str, str]) -> None:
        events.update((event["_id"], event) for event in server.events(query))

    with server.kept():
        for name in ("SessionStart", "SessionEnd", DEAD):
            take({"event": name})
        take({"limit": str(LATEST)})
        for _, event in sorted(events.items()):
            session = event.get("session_id")
            if isinstance(session, str) and 0 < len(session) <= LONGEST_NAME:
                key = event.get("_peer_uid"), session
                over[key] = event.get("_event") in {"SessionEnd", DEAD} and not event.get("_session_pids")
        for uid, session in [key for key, is_over in over.items() if not is_over]:
            user = {} if uid is None else {"user": str(uid)}
            take({"session": session, "limit": str(TAIL), **user})
    return [event for _, event in sorted(events.items())]


def _transcripts(events: list[dict[str, Any]]) -> dict[tuple[int | None, str], str]:
    """Where each session's transcript is, by its sender's word."""
    named = ((event, event.get("transcript_path"), event.get("session_id")) for event in events)
    return {
        (event.get("_peer_uid"), session): path
        for event, path, session in named
        if isinstance(path, str) and isinstance(session, str)
    }


def _as_its_transcript_says(session: Session, transcripts: dict[tuple[int | None, str], str]) -> Session:
    """The session, idle if its user has interrupted it: that is in its transcript only, which one may be able to read.

    A transcript that is not the session's user's own is not read, so that nobody has another's looked at.
    """
    import dataclasses
    from datetime import datetime

    from observatory.transcripts.files import Transcript
    from observatory.transcripts.interruption import interrupted

    path = transcripts.get((session.uid, session.session_id))
    if path is None or session.uid is None or session.state in {"fresh", "idle", "ended", "dead"}:
        return session
    try:
        when = interrupted(Transcript(path, session.uid))
        if when is None or when < datetime.fromisoformat(session.last):
            return session
    except (OSError, ValueError):
        return session
    since = when.isoformat()
    return dataclasses.replace(
        session, state="idle", tool=None, question=None, agent=None, since=since, interrupted=True
    )


def _print_json(found: list[Session]) -> None:
    import dataclasses
    import json

    for session in found:
        print(json.dumps(dataclasses.asdict(session)))


def _print_table(found: list[Session]) -> None:
    from datetime import UTC, datetime

    from observatory.cli.table import print_table
    from observatory.identity.names import user_name

    now = datetime.now(UTC)
    print_table(
        HEADINGS,
        [
            (
                printable(session.session_id)[:8],
                user_name(session.uid),
                _words(session, now),
                since(session.since, now),
                session.question or session.tool or "",
                session.last_event,
                since(session.last, now),
                since(session.started, now),
                session.project or "",
            )
            for session in found
        ],
    )


def _words(session: Session, now: datetime) -> str:
    from observatory.feed.row import milliseconds
    from observatory.sessions.state import is_silent

    words = session.state if session.agent is None else f"{session.state} ({session.agent})"
    if session.interrupted:
        words += ", interrupted"
    if session.state == "idle" and session.background:
        words += f", {session.background} in the background"
    if is_silent(session.state, milliseconds(session.last), round(now.timestamp() * 1000)):
        words += f", no news for {since(session.last, now)}"
    return words


def since(time: str, now: datetime) -> str:
    """How long ago a time in RFC 3339 was, roughly: `12s`, `3m`, `2h`, `5d`; `?` for what is no time."""
    from datetime import datetime

    try:
        seconds = max(0.0, (now - datetime.fromisoformat(time)).total_seconds())
    except (TypeError, ValueError):
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
