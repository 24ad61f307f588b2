"""A TOML file as a table, within bounds: what nobody writes, and what Python takes for ever to read, is refused."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from harness.world.position import PART, TOKEN, line_of, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.world.position import KeyPath

LARGEST: Final = 64 * 2**20
"""Bytes of a file: a world of ten thousand attempts, some of them on paths as long as can be, has a fifth of that."""
DEEPEST: Final = 16
"""Parts of a dotted key, for each of which tomllib goes through those before it."""
_NUMBERS: Final = range(-(2**63), 2**63)  # those that TOML promises


class DocumentError(Exception):
    """A file or a text that goes beyond the bounds, in a sentence; `line` is where, if it is in one line."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def text_of(file: Path) -> str:
    """The text of a file. Raises OSError, UnicodeDecodeError and DocumentError."""
    with file.open("rb") as opened:
        raw = opened.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise DocumentError(f"the file has more than {LARGEST // 2**20} MiB: make it shorter")
    return raw.decode()


def parsed(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises TOMLDecodeError and DocumentError."""
    for token in TOKEN.finditer(text):
        if token["key"] is not None and token["key"].count(".") >= DEEPEST < len(PART.findall(token["key"])):
            line = text.count("\n", 0, token.start()) + 1
            raise DocumentError(f"a key has more than {DEEPEST} parts with dots between them: write fewer", line)
    try:
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            raise
        except ValueError:  # Python reads no number of thousands of digits: one of twenty is as wrong, and has its key
            text = re.sub(r"[0-9](?:_?[0-9]){99,}", "9" * 20, text)
            table = tomllib.loads(text)
        for where, number in _numbers(table, ()):
            if number not in _NUMBERS:
                raise DocumentError(f"{spoken(where)}: a number has at most 64 bits: write one", line_of(text, where))
    except RecursionError:
        raise DocumentError("arrays or tables are nested too deep to be read") from None
    return table


def _numbers(value: object, where: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(value, int):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, (*where, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, (*where, index))
