"""harness watch: who is refused at a socket, as it happens, whichever program asks for it; root's."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from harness.cli.exit_status import AGREE, DISAGREE, UNAVAILABLE, USAGE
from harness.cli.refusals import Refusals

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from harness.audit.recording import Recording


def add_options(parser: argparse.ArgumentParser) -> None:
    """`harness watch PATH`."""
    parser.add_argument("path", metavar="PATH", help="the socket's path, or @ and its abstract name")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain each refusal until SIGINT or SIGTERM; 0 if there was none, 1 if there was one, 69 if it can't be seen."""
    from harness.audit.error import AuditError
    from harness.audit.recording import LostError, SwitchedOffError, recording
    from harness.cli.standing import standing
    from harness.live.recorded_call import concerns, explained_record
    from harness.report.text import visible

    if not options.path or options.path == "@":
        print("harness: watch takes the PATH of a socket, or @ and an abstract name", file=sys.stderr)
        return USAGE
    path = options.path if options.path.startswith("@") else os.path.abspath(options.path)
    refusals = Refusals(sys.stdout)
    lost = off = False
    try:
        with _interrupted() as interrupt, recording() as calls:
            _say(f"watching {visible(path)}; an interrupt (Ctrl-C) ends it with a table")
            if calls.older_unseen:
                _say(
                    "note: the audit system was off, so programs that were started before it was ever on are not seen: "
                    "restart them"
                )
            while not _ended(interrupt, calls):
                try:
                    call = calls.next()
                except SwitchedOffError:
                    off = True
                    _say("somebody has switched the audit system off or deleted its rule, so nothing more is seen")
                    break
                except LostError:
                    if not lost:
                        _say("note: there was more than the kernel keeps, so some refusals are not shown")
                    lost = True
                else:
                    if call is not None and concerns(call, path):
                        kind = (call.path, call.cwd, call.error, call.uid, call.gid, call.program, call.file)
                        refusals.came(kind, standing(("", path)), partial(explained_record, call, path))
    except AuditError as error:
        print(f"harness: {visible(str(error))}", file=sys.stderr)
        return UNAVAILABLE
    refusals.ended({})
    if off:
        return UNAVAILABLE
    return DISAGREE if refusals.any else AGREE


def _say(sentence: str) -> None:
    print(f"harness: {sentence}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _interrupted() -> Iterator[int]:
    """A descriptor that can be read from once SIGINT or SIGTERM has come, which do nothing else meanwhile."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    handlers = {one: signal.signal(one, lambda *_: None) for one in (signal.SIGINT, signal.SIGTERM)}
    waking = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(waking)
        for one, handler in handlers.items():
            signal.signal(one, handler)
        os.close(reader)
        os.close(writer)


def _ended(interrupt: int, calls: Recording) -> bool:
    """Wait for a record, or for the end."""
    return interrupt in select.select([interrupt, calls.fileno()], [], [])[0]
