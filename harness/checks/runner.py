"""All checks of a server: one after the other in one place, or side by side in several."""

from __future__ import annotations

import queue
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from harness.checks import CHECKS
from harness.checks.check import CheckResult, Finding, not_known
from harness.checks.mending import GO_ON, advice
from harness.engines.protocol import PlaceError
from harness.testbed.rehearsal import rehearse
from harness.testbed.server import StartError
from harness.testbed.testbed import Testbed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from harness.checks.check import Check
    from harness.engines.protocol import Place
    from harness.subjects.subject import Subject
    from harness.testbed.rehearsal import Rehearsal


class CheckError(Exception):
    """A server that can't be checked at all, in one sentence: what was wrong and what to change."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is asked of a subject: the mode of its socket, the user it runs as, the socket's group."""

    mode: int = 0o660
    owner: str = "alice"
    group: str | None = None


LONGEST = ("creation-window", "takeover-foreign", "squatting", "flood", "lifetime", "umask")
"""What side by side begins first, so that nobody waits for it in the end."""


def check(
    place: Place,
    subject: Subject,
    configuration: Configuration,
    reproduce: Sequence[str],
    only: Sequence[str] = (),
    begin: Callable[[str], None] = lambda _: None,
    others: Sequence[Place] = (),
) -> Iterator[CheckResult]:
    """Make the checks, each in a world of its own, and yield each result in the order of `CHECKS`.

    `reproduce` are the words of a command that lacks nothing but `--only CHECK`, which is put behind its first two.
    `begin` is told the name of each check before it is made. `others` are places like the first, in which checks are
    made at the same time. Raises CheckError if the server doesn't start as it should even when nobody attacks it.
    """
    testbed = Testbed(place, subject, mode=configuration.mode, owner=configuration.owner, group=configuration.group)
    begin("a first start")
    seen = rehearsed(testbed)
    to_make = chosen(only)

    def make(testbed: Testbed, each: Check) -> CheckResult:
        begin(each.name)
        started = monotonic()
        finding = attack(testbed, each)
        seconds = round(monotonic() - started, 1)
        mend = ""
        if finding.verdict == "broken":
            mend = advice(each.name, seen.program) if testbed.ended is None else GO_ON
        command = again(reproduce, each.name)
        return CheckResult(each.name, finding.verdict, finding.why, command, finding.evidence, seconds, mend)

    if others:
        yield from _side_by_side(to_make, [testbed, *map(testbed.like, others)], make)
    else:
        yield from (make(testbed, each) for each in to_make)


def unfinished(results: Sequence[CheckResult], reproduce: Sequence[str], only: Sequence[str] = ()) -> list[CheckResult]:
    """Of a run of `check` that was interrupted, what has no result: nothing is known of it."""
    seen = {result.check for result in results}
    why = "the run was interrupted before this check ended"
    return [
        CheckResult(each.name, "not known", why, again(reproduce, each.name))
        for each in chosen(only)
        if each.name not in seen
    ]


def chosen(only: Sequence[str]) -> list[Check]:
    """The checks of these names, in the order of `CHECKS`; without any, all."""
    return [each for each in CHECKS if not only or each.name in only]


def again(reproduce: Sequence[str], name: str) -> str:
    """The command that makes one check again."""
    return shlex.join([*reproduce[:2], "--only", name, *reproduce[2:]])


def _side_by_side(
    to_make: Sequence[Check], testbeds: Sequence[Testbed], make: Callable[[Testbed, Check], CheckResult]
) -> Iterator[CheckResult]:
    """Each check on whichever testbed is free. Who interrupts it gets what has been found by then, before the error; it
    may be the last one once more.
    """
    free: queue.SimpleQueue[Testbed] = queue.SimpleQueue()
    for each in testbeds:
        free.put(each)

    def take(each: Check) -> CheckResult:
        testbed = free.get()
        try:
            return make(testbed, each)
        finally:
            free.put(testbed)

    pool = ThreadPoolExecutor(len(testbeds), "harness-check")
    waiting: list[Future[CheckResult]] = []
    try:
        first = sorted(to_make, key=lambda each: each.name not in LONGEST)
        coming = {each.name: pool.submit(take, each) for each in first}
        waiting = [coming[each.name] for each in to_make]
        while waiting:
            yield waiting[0].result()
            del waiting[0]
    except KeyboardInterrupt:
        yield from [each.result() for each in waiting if each.done()]
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def rehearsed(testbed: Testbed) -> Rehearsal:
    """One start without any attack. Raises CheckError."""
    try:
        return rehearse(testbed)
    except (StartError, PlaceError, TimeoutError) as error:
        command = shlex.join(testbed.subject.arguments(testbed.request()))
        raise CheckError(f"{testbed.subject.name} can't be checked: started as {command}, {error}") from None


def attack(testbed: Testbed, each: Check) -> Finding:
    """Make one check. What keeps the attack from its end is that check's outcome, and says nothing of the server."""
    testbed.begin_check()
    try:
        finding = each.attack(testbed)
    except StartError as error:
        return not_known(f"it could not be attacked: {error}")
    except TimeoutError as error:
        return not_known(f"the attack did not finish: {error}")
    except Exception as error:  # the others are still to be made
        return not_known(f"the check itself failed: {type(error).__name__}: {error}")
    return finding if testbed.ended is None else _of_one_that_ended(testbed.ended, finding)


def _of_one_that_ended(how: str, finding: Finding) -> Finding:
    """Of a server that ended meanwhile nothing was seen to hold, and what was broken may be so by its end."""
    if finding.verdict == "held":
        return not_known(f"{how}; until then {finding.why}", **finding.evidence)
    return replace(finding, why=f"{how}; {finding.why}")
