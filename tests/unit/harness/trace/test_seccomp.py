"""Which calls the harness's own filter stops, and which of several filters counts."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from harness.trace import bpf
from harness.trace.calls import CALLS, MACHINES
from harness.trace.filter import FOLLOWED, TAKES_A_FILTER, program
from harness.trace.seccomp import ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, TRACE, TRAP, USER_NOTIFICATION, outcome

if TYPE_CHECKING:
    from harness.trace.calls import Machine

ADDRESS = 1 << 40
STOP = TRACE | FOLLOWED
UNIX, INTERNET = int(socket.AF_UNIX), int(socket.AF_INET)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_own_filter_stops_at_the_calls_that_are_followed_and_nowhere_else(machine: Machine) -> None:
    own = bpf.instructions(program(machine))

    def returned(number: int, *arguments: int, architecture: int = machine.architecture) -> int:
        return bpf.evaluate(own, bpf.data(number, architecture, arguments))

    numbers = machine.numbers
    for name in CALLS.keys() & numbers.keys() - {"socket", "sendto"}:
        assert returned(numbers[name], 3, ADDRESS, 110) == STOP
        assert returned(numbers[name], 3, ADDRESS, 110, architecture=1) == ALLOW
    assert [returned(numbers["socket"], family, 1) for family in (UNIX, INTERNET)] == [STOP, ALLOW]
    addresses = (0, ADDRESS, 1)
    assert [returned(numbers["sendto"], 3, 1, 1, 0, at, 0) for at in addresses] == [ALLOW, STOP, STOP]
    assert [returned(numbers["prctl"], option) for option in (22, 38)] == [TRACE | TAKES_A_FILTER, ALLOW]
    assert returned(numbers["seccomp"], 1) == TRACE | TAKES_A_FILTER
    others = set(range(500)) - {numbers[name] for name in numbers.keys() & {*CALLS, "prctl", "seccomp"}}
    assert {returned(number) for number in others} == {ALLOW}


def returning(value: int) -> tuple[bpf.Instruction, ...]:
    return bpf.instructions(struct.pack("=HBBI", bpf.RET, 0, 0, value))


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ([], "ok"),
        ([ALLOW, LOG], "ok"),
        ([ERRNO | 1], "EPERM"),
        ([ALLOW, ERRNO | 97, LOG], "EAFNOSUPPORT"),
        ([ERRNO | 13, ERRNO | 1], "EACCES"),  # the latest, where two are as strict
        ([TRACE, ERRNO | 1], "EPERM"),
        ([TRACE, ALLOW], None),
        ([USER_NOTIFICATION, TRACE], None),
        ([ERRNO | 1, TRAP], "SIGSYS"),
        ([TRAP, KILL_THREAD], "SIGSYS"),
        ([ALLOW, KILL_PROCESS], "SIGSYS"),
        ([0x12340000], "SIGSYS"),  # an action that nobody knows kills
    ],
)
def test_the_strictest_filter_counts(values: list[int], meant: str | None) -> None:
    assert outcome([returning(value) for value in values], MACHINES["x86_64"], "connect", (3, ADDRESS, 110)) == meant
