"""Classic BPF, evaluated as the kernel evaluates the filters of system calls (seccomp(2), kernel/seccomp.c).

A filter's program looks at a struct seccomp_data and returns a number. All arithmetic is of 32 bits, without a sign.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)
"""Classes of instructions, the three lowest bits of a code (linux/bpf_common.h)."""
IMM, ABS, MEM, LEN = 0x00, 0x20, 0x60, 0x80
"""What a load loads."""
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR = range(0, 0xB0, 0x10)
JA, JEQ, JGT, JGE, JSET = range(0, 0x50, 0x10)
X: Final = 0x08
"""The other operand is the register X, and not the instruction's constant."""
RETURN_A: Final = 0x10
TXA: Final = 0x80

WORD: Final = 0xFFFFFFFF
DATA_SIZE: Final = 64
"""sizeof(struct seccomp_data)."""
WORDS: Final = 16
"""BPF_MEMWORDS."""
_DATA: Final = struct.Struct("=iIQ6Q")


class Instruction(NamedTuple):
    """A struct sock_filter."""

    code: int
    true: int
    false: int
    constant: int


def instructions(code: bytes) -> tuple[Instruction, ...]:
    """A program as the kernel has it."""
    return tuple(Instruction(*one) for one in struct.iter_unpack("=HBBI", code))


def data(number: int, architecture: int, arguments: Sequence[int], pointer: int = 0) -> bytes:
    """A struct seccomp_data: the call's number, AUDIT_ARCH, the address from which it is made, and six arguments."""
    return _DATA.pack(number, architecture, pointer, *arguments, *[0] * (6 - len(arguments)))


def evaluate(program: Sequence[Instruction], about: bytes) -> int:
    """What a program returns. Raises ValueError for one that the kernel would not have taken."""
    a = x = at = 0
    memory = [0] * WORDS
    while at < len(program):
        code, true, false, constant = program[at]
        at += 1
        kind = code & 7
        operand = x if code & X else constant
        if kind in {LD, LDX}:
            loaded = _load(code & 0xE0, constant, memory, about)
            a, x = (loaded, x) if kind == LD else (a, loaded)
        elif kind in {ST, STX}:
            memory[constant] = a if kind == ST else x
        elif kind == ALU:
            operation = code & 0xF0
            if operation in {DIV, MOD} and operand == 0:
                return 0  # as bpf_convert_filter() has it: the program ends and returns nothing
            a = _arithmetic(operation, a, operand)
        elif kind == JMP:
            at += constant if code & 0xF0 == JA else true if _compare(code & 0xF0, a, operand) else false
        elif kind == RET:
            return a if code & 0x18 == RETURN_A else constant
        elif code & 0xF8 == TXA:
            a = x
        else:
            x = a
    raise ValueError("the program does not end with a return")


def _load(mode: int, constant: int, memory: Sequence[int], about: bytes) -> int:
    if mode == IMM:
        return constant
    if mode == LEN:
        return DATA_SIZE
    if mode == MEM:
        return memory[constant]
    if mode != ABS or constant % 4 or constant >= DATA_SIZE:
        raise ValueError(f"no filter may load from {constant} in mode {mode}")
    return int(struct.unpack_from("=I", about, constant)[0])


def _arithmetic(operation: int, a: int, b: int) -> int:
    if operation == NEG:
        return -a & WORD
    results = {
        ADD: a + b,
        SUB: a - b,
        MUL: a * b,
        DIV: a // (b or 1),
        OR: a | b,
        AND: a & b,
        LSH: a << (b & 31),
        RSH: a >> (b & 31),
        MOD: a % (b or 1),
        XOR: a ^ b,
    }
    return results[operation] & WORD


def _compare(operation: int, a: int, b: int) -> bool:
    return {JEQ: a == b, JGT: a > b, JGE: a >= b, JSET: a & b != 0}[operation]
