"""What is found out about a process's filter of system calls, by evaluating it."""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING, get_args

import pytest

from harness.inside.agent.confinement import MACHINES as OURS
from harness.inside.agent.confinement import program
from harness.live import confinement
from harness.live.confinement import Filtered, filtered
from harness.trace import bpf, seccomp
from harness.trace.calls import MACHINES
from harness.trace.seccomp import ALLOW, ERRNO
from harness.world import CALLS, FilteredCall

if TYPE_CHECKING:
    from harness.world import Operation

FLAGS_AT = 32
"""The third argument in struct seccomp_data."""


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, machine: str, code: bytes) -> Filtered:
    """What is said of a process with this one filter."""
    monkeypatch.setattr(confinement, "filters", lambda _pid: 1)
    monkeypatch.setattr(seccomp, "read_filters", lambda _pid: (bpf.instructions(code),))
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    return filtered(1)


@pytest.mark.parametrize(
    ("machine", "call", "code"),
    [
        pytest.param(name, call, program({call: "EPERM"}, *OURS[name]), id=f"{name}-{call}")
        for name in MACHINES
        for call in get_args(FilteredCall)
    ],
)
def test_a_call_that_is_refused_is_told_and_no_other(found: Filtered, call: FilteredCall) -> None:
    assert found.refused is not None
    assert found.refused.seccomp == ((call, "EPERM"),)
    assert found.unknown == ()


def refusing_new_files(machine: str) -> bytes:
    """A filter that lets files be opened, but not be made."""
    steps = (
        (bpf.LD | bpf.ABS, 0, 0, 0),
        (bpf.JMP | bpf.JEQ, 0, 3, MACHINES[machine].numbers["openat"]),
        (bpf.LD | bpf.ABS, 0, 0, FLAGS_AT),
        (bpf.JMP | bpf.JSET, 0, 1, os.O_CREAT),
        (bpf.RET, 0, 0, ERRNO | 13),
        (bpf.RET, 0, 0, ALLOW),
    )
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


@pytest.mark.parametrize(("machine", "code"), [(name, refusing_new_files(name)) for name in MACHINES], ids=MACHINES)
def test_what_goes_by_how_a_file_is_opened_is_not_claimed(found: Filtered) -> None:
    assert found.refused is None
    for operation in CALLS:
        opens: frozenset[Operation] = frozenset({"read", "list", "write", "create"})
        assert (found.doubt(operation) is not None) == (operation in opens)
