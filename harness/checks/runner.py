"""All checks of a server, one after the other, in one place."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.checks import CHECKS
from harness.checks.check import CheckResult, Finding, broken
from harness.engines.protocol import PlaceError
from harness.testbed.testbed import StartError, Testbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.checks.check import Check
    from harness.engines.protocol import Place
    from harness.subjects.subject import Subject


class CheckError(Exception):
    """A server that can't be checked at all, in one sentence: what was wrong and what to change."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is asked of a subject: the mode of its socket, the user it runs as, the socket's group."""

    mode: int = 0o660
    owner: str = "alice"
    group: str | None = None


def check(
    place: Place,
    subject: Subject,
    configuration: Configuration,
    reproduce: Sequence[str],
    only: Sequence[str] = (),
) -> Iterator[CheckResult]:
    """Make the checks, each in a world of its own, and yield each result as it comes.

    `reproduce` are the words of a command that lacks nothing but `--only CHECK`, which is put behind its first two.
    Raises CheckError if the server doesn't start as it should even when nobody attacks it.
    """
    testbed = Testbed(place, subject, mode=configuration.mode, owner=configuration.owner, group=configuration.group)
    _rehearse(testbed)
    for each in CHECKS:
        if not only or each.name in only:
            finding = attack(testbed, each)
            command = shlex.join([*reproduce[:2], "--only", each.name, *reproduce[2:]])
            yield CheckResult(each.name, finding.verdict, finding.why, command, finding.evidence)


def _rehearse(testbed: Testbed) -> None:
    """One start without any attack."""
    try:
        testbed.lay()
        with testbed.serve():
            pass
    except (StartError, PlaceError) as error:
        command = shlex.join(testbed.subject.arguments(testbed.request()))
        raise CheckError(f"{testbed.subject.name} can't be checked: started as {command}, {error}") from None


def attack(testbed: Testbed, each: Check) -> Finding:
    """Make one check. A server that does not start, or keeps the attack from ending, is broken by that."""
    try:
        return each.attack(testbed)
    except StartError as error:
        return broken(str(error))
    except TimeoutError as error:
        return broken(f"the attack did not come to its end: {error}")
