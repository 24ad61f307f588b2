"""`harness explain -- COMMAND...` and `--pid PID` alone: failed calls on sockets, explained as they happen.

All of it goes to standard error: standard output is the command's.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE, DISAGREE, UNAVAILABLE, USAGE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from harness.live.refused_call import RefusedCall
    from harness.report.text import Line
    from harness.trace.failed_call import FailedCall

PATIENCE = 1.0
"""Seconds for which the reason of a failure counts for others like it."""
_WHO = ("user", "unit", "uid", "gid", "groups", "as_container", "to", "mode", "type")


def run(options: argparse.Namespace) -> int:
    """Follow what is meant; a command's own exit status, or that of what was found."""
    from harness.report.text import visible
    from harness.trace.command import end_alike, own_filters
    from harness.trace.command import run as run_command
    from harness.trace.error import CommandError, TraceError

    given = [f"--{name.replace('_', '-')}" for name in _WHO if getattr(options, name) is not None]
    given += ["--operation"] if options.operation != "connect" else []
    given += ["--try"] if options.attempted else []
    given += ["--json"] if options.json else []
    command = options.behind_dashes
    if command is not None:
        given += ["--pid"] if options.pid is not None else []
        given += options.words[: len(options.words) - len(command)]
    if given:
        print(
            f"harness: what is followed determines the user and the path itself, so {given[0]} can't be given with it",
            file=sys.stderr,
        )
        return USAGE
    if command is not None and not command:
        print("harness: there is no COMMAND behind --", file=sys.stderr)
        return USAGE
    try:
        if command is None:
            return _process(options)
        told = _Told(own_filters())
        return end_alike(run_command(command, told.failed, told.ended))
    except CommandError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return error.status
    except TraceError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return UNAVAILABLE


def _process(options: argparse.Namespace) -> int:
    """Follow a running process until it ends or somebody interrupts that. Raises TraceError."""
    from harness.trace.running import follow

    told = _Told(ours=0)
    follow(options.pid, told.failed)
    told.ended({})
    return DISAGREE if told.any else AGREE


class _Told:
    """What is printed of failed calls. The model is imported when the first has come: most commands have none."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self._rows: list[_Row] = []
        self.any = False

    def failed(self, call: FailedCall) -> None:
        """Print a call with its reason, unless one like it has been; after a second its reason is looked for anew."""
        from harness.report.refused_calls import refused_call, usual

        now = time.monotonic()
        kind = (call.operation, call.path, call.to, call.base, call.outcome, *_caller(call.thread))
        alike = [row for row in self._rows if row.kind == kind]
        if alike and now - alike[-1].looked < PATIENCE:
            alike[-1].times += 1
            return
        from harness.live.refused_call import explained

        refused = explained(call, self._ours)
        for row in alike:
            if row.refused.reason == refused.reason:
                row.times, row.looked = row.times + 1, now
                return
        self._rows.append(_Row(kind, refused, now))
        if not usual(call.path, call.outcome):
            self.any = True
            _print(refused_call(refused))

    def ended(self, shorn: Mapping[str, str]) -> None:
        """Print the table."""
        from harness.report.refused_calls import table

        _print(table([(row.refused, row.times) for row in self._rows], shorn))


@dataclass(slots=True)
class _Row:
    """Calls that failed alike: what they have in common, the first one's explanation, when that was looked for."""

    kind: tuple[object, ...]
    refused: RefusedCall
    looked: float
    times: int = 1


def _caller(thread: int) -> tuple[object, ...]:
    """What tells one program and user from another."""
    try:
        return Path(f"/proc/{thread}/comm").read_bytes(), Path(f"/proc/{thread}").stat().st_uid
    except OSError:
        return ()


def _print(lines: list[Line]) -> None:
    from harness.report.text import coloured, plain, wants_colour

    sys.stderr.write(coloured(lines) if wants_colour(sys.stderr) else plain(lines))
    sys.stderr.flush()
