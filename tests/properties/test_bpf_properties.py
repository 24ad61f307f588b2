"""Any filter of system calls returns what the kernel says that it returns: each is loaded, and a call made."""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.trace.bpf import (
    ABS,
    ADD,
    ALU,
    AND,
    DIV,
    IMM,
    JA,
    JEQ,
    JGE,
    JGT,
    JMP,
    JSET,
    LD,
    LDX,
    LEN,
    LSH,
    MEM,
    MISC,
    MUL,
    NEG,
    OR,
    RET,
    RETURN_A,
    RSH,
    ST,
    STX,
    SUB,
    TXA,
    WORDS,
    XOR,
    Instruction,
    X,
    data,
    evaluate,
)
from harness.trace.calls import MACHINES
from harness.trace.seccomp import ALLOW, ERRNO

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in MACHINES, reason="filters of system calls are Linux's"
)

UNUSED = 400
"""No system call has this number on any machine."""
NUMBERS = st.integers(0, 3) | st.integers(0, 0xFFFFFFFF) | st.sampled_from([0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
SEEN = st.sampled_from([0, 4, *range(16, 64, 4)])
"""What of the data is known beforehand; the address from which a call is made is not."""
K_OR_X = st.sampled_from([0, X])


@st.composite
def bodies(draw: st.DrawFn) -> list[Instruction]:
    """Instructions of every kind, of which each jump stays among them."""
    count = draw(st.integers(1, 40))
    body = []
    for at in range(count):
        left = min(count - at - 1, 255)
        kind = draw(st.sampled_from([LD, LDX, ST, STX, ALU, ALU, ALU, JMP, JMP, MISC]))
        true = false = 0
        constant = draw(NUMBERS)
        if kind == LD:
            mode = draw(st.sampled_from([IMM, ABS, ABS, MEM, LEN]))
            code = LD | mode
            constant = draw(SEEN) if mode == ABS else constant
        elif kind == LDX:
            mode = draw(st.sampled_from([IMM, MEM, LEN]))
            code = LDX | mode
        elif kind == ALU:
            operation = draw(st.sampled_from([ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, XOR]))
            code = ALU | operation | (0 if operation == NEG else draw(K_OR_X))
            if operation in {LSH, RSH}:
                constant %= 32
            elif operation == DIV:
                constant = constant or 1
            mode = 0
        elif kind == JMP:
            operation = draw(st.sampled_from([JA, JEQ, JGT, JGE, JSET]))
            code = JMP | operation | (0 if operation == JA else draw(K_OR_X))
            if operation == JA:
                constant = draw(st.integers(0, left))
            else:
                true, false = draw(st.integers(0, left)), draw(st.integers(0, left))
            mode = 0
        else:
            code, mode = kind | (draw(st.sampled_from([0, TXA])) if kind == MISC else 0), 0
        if kind in {ST, STX} or (kind in {LD, LDX} and mode == MEM):
            constant = draw(st.integers(0, WORDS - 1))
        body.append(Instruction(code, true, false, constant))
    return body


def program(body: list[Instruction]) -> list[Instruction]:
    """A filter that answers the unused call with an errno made of the body's result, and allows all others."""
    return [
        Instruction(LD | ABS, 0, 0, 0),
        Instruction(JMP | JEQ, 1, 0, UNUSED),
        Instruction(RET, 0, 0, ALLOW),
        *(Instruction(ST, 0, 0, at) for at in range(WORDS)),
        *body,
        # Twelve bits of the result, folded from all 32.
        Instruction(ST, 0, 0, 0),
        Instruction(ALU | RSH, 0, 0, 12),
        Instruction(MISC, 0, 0, 0),
        Instruction(LD | MEM, 0, 0, 0),
        Instruction(ALU | XOR | X, 0, 0, 0),
        Instruction(ALU | AND, 0, 0, 0xFFF),
        Instruction(ALU | OR, 0, 0, ERRNO),
        Instruction(RET | RETURN_A, 0, 0, 0),
    ]


def kernels_answer(whole: list[Instruction], arguments: list[int]) -> int | str:
    """The errno with which a call of the unused number fails under a filter, or the signal that ends who calls."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            code = b"".join(struct.pack("=HBBI", *one) for one in whole)
            held = ctypes.create_string_buffer(code, len(code))
            loaded = struct.pack("HP", len(whole), ctypes.addressof(held))
            zero = ctypes.c_ulong(0)
            if libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
                22, ctypes.c_ulong(2), loaded, zero, zero
            ):
                os.write(writing, b"not loaded")
                os._exit(1)
            result = libc.syscall(UNUSED, *map(ctypes.c_ulong, arguments))
            os.write(writing, str(ctypes.get_errno() if result == -1 else 0).encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 64).decode()
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return int(said) if said.isdecimal() else said


@given(bodies(), st.lists(st.integers(0, 2**64 - 1) | NUMBERS, min_size=6, max_size=6))
@example([Instruction(LD | IMM, 0, 0, 7), Instruction(ALU | DIV | X, 0, 0, 0)], [0] * 6)
@example([Instruction(LD | ABS, 0, 0, 20), Instruction(ALU | NEG, 0, 0, 0)], [1 << 40] * 6)
def test_a_program_returns_what_the_kernel_says(body: list[Instruction], arguments: list[int]) -> None:
    whole = program(body)
    returned = evaluate(whole, data(UNUSED, MACHINES[platform.machine()].architecture, arguments))
    expected = "SIGSYS" if returned == 0 else returned & 0xFFF
    assert kernels_answer(whole, arguments) == expected
