"""When a server that was started is there, and which process it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.inside.dialects import dialect_name
from harness.testbed.cast import TOP
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from harness.inside.reports import ReadyReport
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

NOTIFY = f"{TOP}/notify"
"""Where a server may say that it is ready (sd_notify(3))."""


def await_server(testbed: Testbed, running: RunningServer, seconds: float | None = None) -> None:
    """Wait until it answers, for its patience or so many seconds, and find out which process serves.

    Raises StartError.
    """
    subject = testbed.subject
    seconds = subject.patience if seconds is None else seconds
    kind, _, what = subject.readiness.partition(":")
    arguments: dict[str, Any] = {"endpoint": running.endpoint, "speaks": subject.speaks, "after": None}
    if kind == "line" and not running.says(what, seconds):
        raise StartError(f"the server printed no {what!r} within {seconds:.0f} s; {testbed.log(running)}")
    if kind == "notify":
        arguments |= {"after": f"{NOTIFY}.ready", "speaks": "nothing"}
    if kind == "tcp":
        arguments |= {"endpoint": f"tcp:127.0.0.1:{what}", "speaks": "nothing"}
    who = testbed.principal(testbed.asker)
    said = testbed.probe("ready", who, pid=running.supervisor, seconds=seconds, timeout=seconds + 60, **arguments)
    if said["endpoint"] is None:
        raise StartError(_not_ready(testbed, running, said, seconds))
    if kind != "tcp":
        running.endpoint = said["endpoint"]
    _find_server(testbed, running)


def _not_ready(testbed: Testbed, running: RunningServer, said: ReadyReport, seconds: float) -> str:
    words = testbed.log(running)
    if not said["alive"]:
        return f"the server ended before it answered; {words}"
    within = f"within {seconds:.0f} s, and was ended (--patience gives it longer)"
    speaks = dialect_name(testbed.subject.speaks)
    got = said["last"] if speaks == "nothing" else f"{said['last']}, asked in {speaks}"
    return f"the server did not answer {testbed.asker} ({got}) {within}; {words}"


def _find_server(testbed: Testbed, running: RunningServer) -> None:
    """The server is the process that holds the socket, and the topmost of them where there are several."""
    found = testbed.served_by(running)
    if found["type"] is not None:
        testbed.type = found["type"]
    if found["holders"]:
        running.process.pid = found["holders"][0]
    elif not found["others"]:
        how = running.own_end(running.process.wait(testbed.subject.patience))
        raise StartError(f"the server ended as soon as {testbed.asker} had come to it, {how}")
    elif running.pid not in found["others"]:
        words = testbed.log(running)
        raise StartError(
            "the command ended, and of what it left running nothing is seen to hold the socket "
            f"{running.endpoint}, so nobody knows which process is the server: start it in the foreground; {words}"
        )
