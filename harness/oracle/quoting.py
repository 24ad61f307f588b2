"""Names as a shell takes them."""

from __future__ import annotations

import os
import shlex


def quoted(name: str) -> str:
    r"""The name by itself, in quotes, or as `$'...'` (POSIX.1-2024) where it has bytes that no terminal shows.

    >>> quoted("a b"), quoted("a\n'b")
    ("'a b'", "$'a\\x0a\\'b'")
    """
    if all(character.isprintable() for character in name):
        return shlex.quote(name)
    return "$'" + "".join(map(_escaped, name)) + "'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
