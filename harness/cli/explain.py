"""harness explain: why somebody may or may not, on the machine as it is. Looks, and connects only if told to."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from harness.cli import attempt_options
from harness.cli.exit_status import AGREE, DISAGREE, USAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness explain PATH`, `harness explain -- COMMAND...` and `harness explain --pid PID`."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="PATH | -- COMMAND",
        help=f"{attempt_options.PATH_MEANS}; behind --, a command to run, of which each call on a socket that fails is "
        "explained; neither, but --pid: the same of a running process",
    )
    attempt_options.add_options(parser)
    parser.add_argument(
        "--try", dest="attempted", action="store_true", help="connect as them too (root; connect alone)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, with each layer's answer")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain it; 0 if it would succeed, 1 if it would not or can't be known. With --try the kernel's word counts.

    Of a command the exit status is its own; of a process that was followed, 0 if no call failed, else 1.
    """
    if options.behind_dashes is not None or (not options.words and options.pid is not None):
        from harness.cli import following

        return following.run(options)
    if len(options.words) != 1:
        print(
            "harness: explain takes one PATH, or -- and a COMMAND, or --pid PID to follow that process"
            f"{_meant(options.words)}",
            file=sys.stderr,
        )
        return USAGE
    options.path = options.words[0]
    from harness.live.judgement import find
    from harness.report.explanation import comparison, explain
    from harness.report.text import coloured, plain, visible, wants_colour

    found = attempt_options.looked_up(options)
    if found is None:
        return USAGE
    actor, seen = found
    judgement = find(actor, seen)
    trial = None
    if options.attempted:
        from harness.live.trial import TrialError, tried

        try:
            trial = tried(actor, seen.attempt)
        except TrialError as error:
            print(f"harness: {visible(str(error))}", file=sys.stderr)
            return USAGE
    if options.json:
        import json

        from harness.report.explanation_json import explanation_object

        print(json.dumps(explanation_object(actor, seen, judgement, trial)))
    else:
        lines = explain(actor, seen, judgement)
        lines += [] if trial is None else comparison(judgement, trial)
        sys.stdout.write(coloured(lines) if wants_colour(sys.stdout) else plain(lines))
    allowed = judgement.allowed if trial is None else trial.outcome == "ok"
    return AGREE if allowed else DISAGREE


def _meant(words: Sequence[str]) -> str:
    """What somebody may have meant by several words: a path and a user, or a command."""
    if not words:
        return ""
    from harness.live.accounts import SystemAccounts
    from harness.report.text import visible

    path, *more = words
    if path.startswith(("/", "@", ".")) and len(more) == 1 and SystemAccounts().user(more[0]) is not None:
        written = shlex.join(["harness", "explain", path, "--user", *more])
    else:
        written = shlex.join(["harness", "explain", "--", *words])

    return f": did you mean `{visible(written)}`?"
