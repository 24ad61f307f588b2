"""`harness explain -- COMMAND...` and `--pid PID` alone: failed calls on sockets, explained as they happen.

All of it goes to standard error: standard output is the command's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE, DISAGREE, UNAVAILABLE, USAGE
from harness.cli.refusals import Refusals

if TYPE_CHECKING:
    import argparse

    from harness.live.refused_call import RefusedCall
    from harness.trace.failed_call import FailedCall

_WHO = ("user", "unit", "uid", "gid", "groups", "as_container", "to", "mode", "type")
_TELLING = (b"Name", b"Uid", b"Gid", b"Groups", b"CapEff", b"Seccomp_filters")

_OF_A_PATH = frozenset({errno.ENOENT, errno.EACCES, errno.ECONNREFUSED, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
"""Of these what a path leads to is the reason, and not the state of the socket that it was asked for with."""


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


class _Told(Refusals):
    """What is printed of failed calls of processes that stand still meanwhile; `ours` of their filters are our own."""

    def __init__(self, ours: int) -> None:
        super().__init__(sys.stderr)
        self._ours = ours

    def failed(self, call: FailedCall) -> None:
        """Explain a call."""
        from harness.cli.standing import standing

        folder = f"/proc/{call.thread}"
        paths = [
            (f"{folder}/root" if path.startswith("/") else f"{folder}/{call.start}", path)
            for path in (call.path, call.to)
            if path and not path.startswith("@")
        ]
        kind = (replace(call, thread=0, descriptor=None), *_caller(call.thread))
        on = None if call.error in _OF_A_PATH else call.descriptor
        self.came(kind, (on, *standing(*paths)), lambda: self._explained(call))

    def _explained(self, call: FailedCall) -> RefusedCall:
        from harness.live.refused_call import explained

        return explained(call, self._ours)


def _caller(thread: int) -> tuple[object, ...]:
    """What tells one program, user and place from another."""
    from harness.inside.procfs import status_fields

    said: list[object] = []
    with contextlib.suppress(OSError):
        fields = status_fields(thread)
        said += [fields.get(key) for key in _TELLING]
    for link in ("root", "ns/mnt", "ns/net", "ns/user"):
        with contextlib.suppress(OSError):
            said.append(os.readlink(f"/proc/{thread}/{link}"))
    return tuple(said)
