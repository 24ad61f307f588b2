"""A question to a security module: written to one of its files, where the kernel's answer is read back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST: Final = 4096
"""Bytes of an answer: more than any is."""


class UnansweredError(Exception):
    """A security module did not say: one sentence."""


def exchange(file: str | Path, question: bytes) -> bytes:
    """What the kernel answers. Raises OSError."""
    descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.write(descriptor, question)
        return os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
