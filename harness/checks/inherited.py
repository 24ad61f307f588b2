"""inherited: a program that the server starts gets none of its descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.checks.audience import ssh_add
from harness.checks.check import Check, Finding, broken, held
from harness.engines.protocol import PlaceError
from harness.subjects.command import CommandSubject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.testbed.testbed import RunningServer, Testbed

HOLDS = (
    "No descriptor of the server but the standard three leaks into a program that it starts. Where it can be "
    "made to start one, that program's descriptors are read; else every socket of the server is close-on-exec."
)

SHOWN = 4


def attack(testbed: Testbed) -> Finding:
    """Read the descriptors of a child, or the flags of the server's own, while a client is connected."""
    testbed.lay()
    with testbed.serve() as running:
        child = _of_a_child(testbed, running)
        if child is not None:
            evidence = {"child": child}
            if child:
                more = f" and {len(child) - SHOWN} more descriptors" if len(child) > SHOWN else ""
                return broken(f"a program that it started got {', '.join(child[:SHOWN])}{more}", **evidence)
            return held("a program that it started got nothing but the standard three", **evidence)
        testbed.open_to_all(running)
        with testbed.holding(
            "hold",
            testbed.principal("stranger"),
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            count=1,
        ):
            testbed.ask(running, "root", "while-another-is-connected")
            seen = testbed.descriptors(running)
    program = seen["processes"][0]["program"]
    sockets, open_ones = 0, []
    for process in seen["processes"]:
        for each in process["descriptors"] or []:
            is_socket = each["what"].startswith("socket:") and each["number"] > 2
            sockets += is_socket
            if is_socket and not each["close_on_exec"]:
                what = f"the listening socket {each['listens']}" if "listens" in each else "a connection"
                open_ones.append(f"descriptor {each['number']} of pid {process['pid']}, {what}")
    if open_ones:
        return broken(f"any program that it starts inherits {'; '.join(open_ones)}", processes=seen["processes"])
    return held(f"all {sockets} sockets of {program} are close-on-exec", processes=seen["processes"])


def _of_a_child(testbed: Testbed, running: RunningServer) -> list[str] | None:
    """Let the server start a program of ours: that program's descriptors above 2, or `None` if it starts none."""
    start = CHILDREN.get(testbed.subject.speaks)
    # It takes what was prepared in the subject, and in a mere command nothing was.
    if start is None or isinstance(testbed.subject, CommandSubject):
        return None
    return _above_standard(start(testbed, running))


def _copy_to_program(testbed: Testbed, running: RunningServer) -> str:
    """COPY TO PROGRAM runs a command in a backend of the superuser's."""
    output = f"{testbed.request().state}/descriptors"
    program = f"cat >/dev/null; ls -l /proc/self/fd > {output}"
    done = testbed.probe(
        "statement",
        testbed.principal(testbed.owner),
        endpoint=running.endpoint,
        statement=f"copy (select 1) to program '{program}'",
        seconds=10.0,
    )
    if done["kind"] != "accepted":
        raise PlaceError(f"{testbed.subject.name} did not run a program for its superuser: {done['rows']}")
    return testbed.root("cat", output).stdout


def _askpass(testbed: Testbed, running: RunningServer) -> str:
    """A key that is to be confirmed makes the agent run $SSH_ASKPASS."""
    state = testbed.request().state
    ssh_add(testbed, running, "-c", f"{state}/key")
    ssh_add(testbed, running, "-T", f"{state}/key.pub")
    listing = testbed.root("cat", f"{state}/askpass.descriptors")
    if listing.status != 0:
        raise PlaceError("ssh-agent did not ask its user by $SSH_ASKPASS")
    return listing.stdout


def _above_standard(listing: str) -> list[str]:
    """The descriptors of `ls -l /proc/self/fd` above 2, without that of the listing itself."""
    found = []
    for line in listing.splitlines():
        name, arrow, what = line.rpartition(" -> ")
        if arrow and int(name.split()[-1]) > 2 and not what.startswith("/proc/"):
            found.append(f"{name.split()[-1]} ({what})")
    return found


CHILDREN: Mapping[str, Callable[[Testbed, RunningServer], str]] = {
    "postgresql": _copy_to_program,
    "ssh-agent": _askpass,
}
"""By dialect, how a subject is made to start a program that lists its own descriptors; what that said."""

CHECK = Check("inherited", HOLDS, attack)
