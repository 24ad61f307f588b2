"""A whole service, put together from its settings, from its first socket to its last event."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.address import private_socket
from observatory.audience import Audience
from observatory.errors import ObservatoryError
from observatory.listening import Listener, Specification, listen
from observatory.listening.launchd import activated_listeners
from observatory.listening.private_directory import make_private_directory, others_may_bind
from observatory.listening.surroundings import longest_queue, risks
from observatory.listening.systemd import OUTPUT, notify, passed_listeners
from observatory.ownership import ROOT
from observatory.service.loop import Loop
from observatory.service.outputs.output_socket import SocketOutput
from observatory.service.outputs.standard_output import DescriptorOutput, leads_nowhere
from observatory.service.outputs.standard_streams import StandardStreams
from observatory.service.precedence import take_precedence
from observatory.service.quota import Accounts
from observatory.service.retention import Retention
from observatory.service.server import Server
from observatory.service.subordinate_ids import subordinate_ids
from observatory.sessions.memory import Memory
from observatory.shortening import KEPT
from observatory.store import Sync, default_path, open_store
from observatory.store.files import SESSIONS, directory_warning

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.redaction.redactor import Redactor

OUTPUT_GRACE: Final = 2.0
"""Seconds that readers of the output get at the end to take what waits for them."""
ENOUGH_WAITING: Final = 4096
"""Connections that may wait to be accepted on Linux since 5.4, where nobody has changed it."""
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class Settings:
    """What is wanted of a service."""

    main: Specification
    well_known: Specification | None = None
    """A second socket, for clients that know the server by no other name; its database has that name too."""
    output: Specification | None = None
    """The socket on which events are told as they come."""
    standard_output: bool = True
    """Events are written on standard output."""
    render: Callable[[bytes], bytes] | None = None
    """What makes of an event's line what is written there; None: it's written as it is."""
    database: str | None = None
    sync: Sync = Sync.NORMAL
    readers: int | None = None
    """The gid whose members read everyone's events."""
    retain: int | None = None
    """Seconds after which an event is deleted; None: never."""
    most: int | None = None
    """Bytes that all events may take; beyond that the oldest are deleted. None: as many as there are."""
    keep: int | None = KEPT
    """Bytes of one text of an event that are kept; None: all."""
    redactor: Redactor | None = None
    """What takes secrets out of events; None: nothing does."""


def serve(settings: Settings, log: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Main thread only, and while it's the only one. Raises ObservatoryError if it can't
    begin.
    """
    with contextlib.ExitStack() as undo:
        loop = Loop()
        undo.callback(loop.close)
        caught: list[signal.Signals] = []
        # Before there is anything to clean up, until all of it is: a signal never leaves a socket behind.
        undo.enter_context(loop.signals((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), caught.append))
        streams = StandardStreams()
        printed = None
        if settings.standard_output and not leads_nowhere(1):
            printed = DescriptorOutput(loop, 1, log, render=settings.render, reopen=streams.reopen)
            undo.callback(printed.finish, OUTPUT_GRACE)
        passed = passed_listeners(os.environ) or activated_listeners()
        given = passed.pop("main", None)
        listener = _listener(undo, given, settings.main)
        second = None if given is not None else _second_listener(undo, settings, log)
        output = None
        if settings.output is not None or OUTPUT in passed:
            output = _listener(undo, passed.pop(OUTPUT, None), settings.output)
        by_name = settings.well_known if given is None else None
        database = settings.database or default_path((by_name or listener).path)
        store = open_store(database, settings.sync)
        undo.callback(store.close)
        audience = Audience(os.geteuid(), settings.readers)
        accounts = Accounts(subordinate_ids())
        outputs: list[DescriptorOutput | SocketOutput] = []
        if printed is not None:
            outputs.append(printed)
        if output is not None:
            outputs.append(SocketOutput(loop, output, audience, accounts, log))
        publish = [output.publish for output in outputs]
        server = Server(loop, listener, store, audience, publish, log, accounts, settings.keep, settings.redactor)
        if second is not None:
            server.serve_also(second)
        _remember(server, f"{database}{SESSIONS}", log)
        if listener.mode & _OTHERS:
            take_precedence()
        gc.collect()
        gc.freeze()  # all that there is now stays: each full collection would take 5 to 9 ms to look at it again
        server.start()
        _announce(listener, second, output, log)
        if (warning := directory_warning(database)) is not None:
            log(f"warning: {warning}")
        if settings.retain is not None or settings.most is not None:
            Retention(loop, store, settings.retain, log, settings.most)
        ending = None
        while ending is None:
            server.turn()
            ending = _heed(caught, streams, printed, log)
        log(f"ending: {ending.name}")
        notify("STOPPING=1", os.environ)
        server.finish()
        for each in outputs:
            each.finish(OUTPUT_GRACE)


def _heed(
    caught: list[signal.Signals], streams: StandardStreams, printed: DescriptorOutput | None, log: Callable[[str], None]
) -> signal.Signals | None:
    """Do what signals ask for, up to one that asks for the end, which is returned."""
    while caught:
        number = caught.pop(0)
        if number is not signal.SIGHUP or streams.hung_up():
            return number
        for trouble in streams.reopen():
            log(trouble)
        if printed is not None:
            printed.reopen()
        log("SIGHUP: the files of standard output and of the log have been opened again")
    return None


def _remember(server: Server, path: str, log: Callable[[str], None]) -> None:
    try:
        server.remember(Memory(Path(path)))
    except OSError as error:
        log(f"warning: sessions that end while no server runs will not be noticed: {path}: {error.strerror}")


def _listener(undo: contextlib.ExitStack, passed: Listener | None, wanted: Specification | None) -> Listener:
    if passed is None:
        assert wanted is not None
        passed = listen(wanted)
    undo.callback(passed.sock.close)
    undo.callback(passed.remove)
    return passed


def _second_listener(undo: contextlib.ExitStack, settings: Settings, log: Callable[[str], None]) -> Listener | None:
    """Another socket of the same server, where one is of use; if it can't be made, the first is served by itself."""
    main = settings.main
    if settings.well_known is not None:
        try:
            return _listener(undo, None, settings.well_known)
        except ObservatoryError as error:
            log(f"warning: clients that look for {settings.well_known.path} will not find this server: {error}")
            return None
    try:
        if not others_may_bind(os.path.dirname(main.path) or "."):
            return None
        path = private_socket(main.path)
        make_private_directory(os.path.dirname(path))
        return _listener(undo, None, replace(main, path=path))
    except (ObservatoryError, OSError) as error:
        log(f"warning: hooks will send nothing, since others may make sockets where {main.path} is, and {error}")
        return None


def _announce(listener: Listener, second: Listener | None, output: Listener | None, log: Callable[[str], None]) -> None:
    for each, what in ((listener, ""), (second, " as well"), (output, " for the readers of events")):
        if each is not None:
            log(f"listening on {each.path} mode {each.mode:04o} owner {each.owner} group {each.group}{what}")
    if (waiting := longest_queue()) is not None and waiting < ENOUGH_WAITING:
        log(
            f"warning: only {waiting} connections of all users may wait at once, and more are refused by the kernel:"
            f" sysctl net.core.somaxconn={ENOUGH_WAITING}, and start again"
        )
    for each in (listener, output):
        if each is not None:
            for risk in risks(each.path, frozenset({ROOT, os.geteuid()})):
                log(f"warning: {risk}")
    notify("READY=1", os.environ)


def _fill_standard_streams() -> None:
    """Where a standard stream is closed, the next file to be opened gets its number: it is not to be the database."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
