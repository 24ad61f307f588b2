"""inherited: a program that the server starts gets none of its descriptors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.checks.audience import ssh_add
from harness.checks.check import Check, Finding, broken, held, not_applicable, not_known
from harness.engines.protocol import PlaceError
from harness.subjects.command import CommandSubject
from harness.subjects.subject import fill
from harness.testbed.server import StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.inside.reports import HeldProcess, ListeningDescriptor
    from harness.testbed.server import RunningServer
    from harness.testbed.testbed import Testbed

HOLDS = (
    "No descriptor of the server but the standard three leaks into a program that it starts. Where it starts one, that "
    "program's descriptors are read; else it holds if every socket of the server is close-on-exec."
)

SHOWN = 4
INTERPRETER = re.compile(r"/(python|perl|ruby|node|php|java|bash|dash|sh)[\d.]*$")
"""Programs that run other people's: of these, the same one again is another program."""
SPAWNING = 10.0
"""Seconds for the command that makes the server start a program."""


def attack(testbed: Testbed) -> Finding:
    """Read the descriptors of a child, or the flags of the server's own, while a client is connected."""
    testbed.lay()
    with testbed.serve() as running:
        child = _of_a_child(testbed, running)
        if child is not None:
            evidence = {"child": child}
            if child:
                return broken(f"a program that it started got {_few(child)}", **evidence)
            return held("a program that it started got nothing but the standard three", **evidence)
        testbed.open_to_all(running)
        with testbed.holding(
            "hold",
            testbed.principal("stranger"),
            endpoint=running.endpoint,
            speaks=testbed.subject.speaks,
            count=1,
        ):
            testbed.ask(running, testbed.asker, "while-another-is-connected", 2.0)
            _spawn(testbed, running)
            seen = testbed.descriptors(running)
    return judge(seen["processes"])


def judge(processes: Sequence[HeldProcess]) -> Finding:
    """What the descriptors of a server's processes say: of the programs that it has started, else of what these would
    get."""
    unseen = [each["pid"] for each in processes if each["descriptors"] is None]
    seen = [each for each in processes if each["descriptors"] is not None]
    own_programs = {each["program"] for each in seen if not each["started"] and not INTERPRETER.search(each["program"])}
    # A server that has executed itself anew (HAProxy's master does) has started no program by that.
    children = [each for each in seen if each["started"] and each["program"] not in own_programs]
    servers = [each for each in seen if each not in children]
    if not servers:
        return not_known(f"nobody here may look into the server's processes ({unseen})", processes=processes)
    own = {descriptor["what"]: descriptor for each in servers for descriptor in _sockets(each)}
    leaked = [
        f"{_name(each)} got {_what(own[descriptor['what']])} as descriptor {descriptor['number']}"
        for each in children
        for descriptor in _sockets(each)
        if descriptor["what"] in own
    ]
    if leaked:
        return broken(f"of the programs that it started, {_few(leaked)}", processes=processes)
    open_ones = [
        f"descriptor {each['number']} of pid {process['pid']}, {_what(each)}"
        for process in servers
        for each in _sockets(process)
        if not each["close_on_exec"]
    ]
    remark = f" (not close-on-exec: {_few(open_ones)})" if open_ones else ""
    if children:
        names = ", ".join(sorted({_name(each) for each in children}))
        return held(f"of its {len(own)} sockets {names}, which it started, has none{remark}", processes=processes)
    if open_ones:
        return not_applicable(
            f"no program that it starts was seen, so nobody knows whether one gets them, but these are not "
            f"close-on-exec: {_few(open_ones)}",
            processes=processes,
        )
    return held(f"all {len(own)} sockets of {servers[0]['program']} are close-on-exec", processes=processes)


def _sockets(process: HeldProcess) -> list[ListeningDescriptor]:
    """Its sockets beside the standard three."""
    return [each for each in process["descriptors"] or [] if each["what"].startswith("socket:") and each["number"] > 2]


def _what(descriptor: ListeningDescriptor) -> str:
    return f"the listening socket {descriptor['listens']}" if "listens" in descriptor else "a connection"


def _name(process: HeldProcess) -> str:
    return f"{process['program'].rpartition('/')[2]} (pid {process['pid']})"


def _few(parts: Sequence[str]) -> str:
    return "; ".join(parts[:SHOWN]) + (f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else "")


def _spawn(testbed: Testbed, running: RunningServer) -> None:
    """Run the command that makes the server start a program, where there is one. Raises StartError if it fails."""
    if testbed.subject.spawn:
        command = fill(testbed.subject.spawn, replace(testbed.request(), socket=running.endpoint))
        done = testbed.place.run(
            command, testbed.principal(testbed.owner), environment=testbed.environment(), timeout=SPAWNING
        )
        if done.status != 0:
            said = " ".join((done.stderr or done.stdout).split())
            raise StartError(f"{command[0]}, which is to make it start a program, ended with {done.status}: {said}")


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
