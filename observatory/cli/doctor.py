"""`observatory doctor`: does it work, and if not, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from observatory.cli.server_options import add_server_options, server_uids, socket_path
from observatory.text import printable

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor`."""
    parser = subparsers.add_parser(
        "doctor",
        help="check that events of your sessions reach the server",
        description="Check that events of your sessions reach the server: the socket, its owner and who can reach it, "
        "the directories above it, the server, curl, the hooks of all layers of settings, and an event that is sent "
        "with a hook's command. Each line is `ok`, or says what to do.",
    )
    add_server_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object for each diagnosis")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Examine, and print each diagnosis as it is made."""
    import json

    from observatory.client.doctor import examine, exit_status
    from observatory.hooks.clients import CLIENTS

    places = [CLIENTS["claude"].path(everywhere) for everywhere in (True, False)]
    diagnoses = []
    path = str(Path(socket_path(options)).absolute())
    for diagnosis in examine(path, server_uids(options), places):
        diagnoses.append(diagnosis)
        about, ok, sentence = diagnosis.about, diagnosis.ok, printable(diagnosis.sentence)
        if options.json:
            print(json.dumps({"about": about, "ok": ok, "sentence": sentence}), flush=True)
        else:
            print(f"{'ok' if ok else 'LOOK':<5} {about:<12} {sentence}", flush=True)
    return exit_status(diagnoses)
