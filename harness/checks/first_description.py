"""The first subject file of a server: what was said of it on a command line, and what one start of it shows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.checks.runner import rehearsed
from harness.inside.dialects import dialect_name
from harness.testbed.testbed import Testbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.engines.protocol import Place
    from harness.subjects.description import Described
    from harness.subjects.subject import Subject
    from harness.testbed.rehearsal import Rehearsal

GUESSES = ("redis", "memcached", "haproxy", "postgresql", "mariadb", "dbus", "ssh-agent", "docker", "http")
"""Dialects that are tried, each of which knows its own kind of answer; the least particular comes last."""


def first_description(place: Place, described: Described, subject: Subject, given: Mapping[str, object]) -> str:
    """Start it once, and write down what is known. `given` is what was said of it, with the keys of a subject file.

    Raises CheckError if it does not start.
    """
    testbed = Testbed(place, subject, mode=described.mode, owner=described.owner, group=described.group)
    seen = rehearsed(testbed)
    speaks = "" if "speaks" in given else _guess(testbed)
    return "\n".join(_lines(testbed, seen, described, given, speaks)) + "\n"


def _lines(
    testbed: Testbed, seen: Rehearsal, described: Described, given: Mapping[str, object], speaks: str
) -> Iterator[str]:
    said = {key: value for key, value in given.items() if key not in ("environment", "mode", "at_most")}
    subject = testbed.subject
    yield f"# {described.subject.name}, as it was started once; harness check reads this file."
    yield f"name = {json.dumps(described.subject.name)}"
    yield f"command = {json.dumps(list(described.subject.command))}"
    for key, value in said.items():
        yield f"{key} = {json.dumps(value)}"
    if subject.socket and "socket" not in given:
        yield f"socket = {json.dumps(subject.socket)}  # the name that it chose in {{directory}}"
    if speaks:
        yield f"speaks = {json.dumps(speaks)}  # it answers this"
    yield from _mode(testbed, seen, given)
    path = testbed.endpoint
    doors = [door for door in seen.doors if door != path]
    if doors and "doors" not in given:
        yield "# It is reached elsewhere too: write it down if that is meant, else traversal calls it broken."
        yield f"# doors = {json.dumps([door.replace(testbed.directory, '{directory}') for door in doors])}"
    if subject.accounts and "accounts" not in given:
        yield f"accounts = {json.dumps(list(subject.accounts))}  # users of this machine that it names"
    if seen.ended is None:
        yield f'# It did not end within {subject.patience:g} s of its signal: stop = "INT", or a longer patience.'
    elif seen.started + seen.ended > subject.patience / 2:
        took = seen.started + seen.ended
        yield f"patience = {2 * took:.0f}  # its start and its end took {took:.1f} s"
    if described.subject.environment:
        yield "\n[environment]"
        for name, value in described.subject.environment.items():
            yield f"{json.dumps(name)} = {json.dumps(value)}"
    yield "\n# Faults that are known, each with its reason, do not fail a run:"
    yield "# [expected]"
    yield '# flood = "it has no limit for each user, see issue 12"'


def _mode(testbed: Testbed, seen: Rehearsal, given: Mapping[str, object]) -> Iterator[str]:
    """The mode: as it was asked for, or as it is where nothing was asked."""
    if "mode" in given or "at_most" in given:
        key = "mode" if "mode" in given else "at_most"
        yield f"{key} = {json.dumps(given[key])}"
    elif seen.socket is not None:
        mode = seen.socket["mode"]
        if mode == testbed.mode:
            yield f'mode = "{mode:04o}"'
        elif not mode & ~testbed.mode:
            yield f'at_most = "{testbed.mode:04o}"  # it makes {mode:04o}, whatever it is asked for'
        else:
            yield f'mode = "{mode:04o}"  # it makes this, though {testbed.mode:04o} was asked for: is that meant?'


def _guess(testbed: Testbed) -> str:
    """The first dialect in which its user is answered, or nothing."""
    testbed.lay()
    with testbed.serve() as running:
        if testbed.type == "dgram":
            return ""
        kept = testbed.subject
        try:
            for speaks in GUESSES:
                testbed.subject = replace(kept, speaks=speaks)
                if testbed.ask(running, testbed.owner, "guess", 1.0)["kind"] == "accepted":
                    return dialect_name(speaks)
        finally:
            testbed.subject = kept
    return ""
