"""`observatory doctor`: does it work, and if not, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from observatory.cli.common import Stop, add_server_options, server_uids, socket_path, stop
from observatory.cli.exit_status import DONE, FAILED, NOT_PERMITTED, UNAVAILABLE
from observatory.cli.install_hooks import settings_directory
from observatory.text import printable

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="see whether everything works",
        description="See whether events of your sessions reach the server: the socket, whose it is and who can reach "
        "it, the directories above it, the server, curl, the hooks, and an event that is sent as a hook sends it. Each "
        "line is `ok`, or says what to do.",
    )
    add_server_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine, and print each finding as it is made."""
    from observatory.client.client import ForbiddenError, UnavailableError
    from observatory.client.doctor import examine, status

    try:
        places = [settings_directory(True), settings_directory(False)]
        findings = []
        path = str(Path(socket_path(options)).absolute())
        for finding in examine(path, server_uids(options), places):
            findings.append(finding)
            print(f"{'ok' if finding.ok else 'LOOK':<5} {finding.about:<12} {printable(finding.sentence)}", flush=True)
    except Stop as error:
        return stop(options, error)
    kind = status(findings)
    if kind is None:
        return DONE
    return {ForbiddenError: NOT_PERMITTED, UnavailableError: UNAVAILABLE}.get(kind, FAILED)
