r"""What the kernel writes into the files of /proc, as it writes it: lines end with `\n` and with nothing else.

A name in them may contain any byte but NUL. The kernel escapes those that its own format needs and leaves the others,
among them `\r`, `\v`, `\x1c` and the bytes of U+0085 or U+2028, at all of which `str.splitlines()` would split, and
the first of which text files of Python turn into `\n`.
"""

from __future__ import annotations

import os
import re
from typing import Final

from harness.live.limits import read_up_to

LARGEST: Final = 1 << 24
"""More than any such file has of which this machine's users can't make as much as they like."""

_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")
_LETTER: Final = re.compile(rb"\\([n\\])")


def read_lines(path: str) -> list[bytes]:
    r"""The lines of such a file, without their `\n`. Raises OSError, with EFBIG if it has more than `LARGEST` bytes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return lines_of(read_up_to(descriptor, LARGEST))
    finally:
        os.close(descriptor)


def lines_of(text: bytes) -> list[bytes]:
    r"""The lines of a text, each of which ends with `\n`."""
    return text.removesuffix(b"\n").split(b"\n") if text else []


def unescaped_path(field: bytes) -> str:
    r"""A path as seq_path() writes it: blank, tab, newline and backslash as `\040`, `\011`, `\012`, `\134`."""
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))


def unescaped_name(field: bytes) -> str:
    r"""A process's name as proc_task_name() writes it: newline and backslash as `\n` and `\\`."""
    return os.fsdecode(_LETTER.sub(lambda match: b"\n" if match[1] == b"n" else b"\\", field))
