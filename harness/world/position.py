"""Where in a TOML text a key stands. Only asked when something is wrong, so it may take its time."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def line_of(text: str, where: tuple[str | int, ...]) -> int:
    """The line (from 1) of the key, or of the innermost table around it that the text names.

    `text` must be valid TOML; `where` are keys, and positions in arrays of tables.
    """
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for line, statement in _statements(text):
        keys = _keys(tomllib.loads(statement))
        if not statement.lstrip().startswith("["):
            for length in range(1, len(keys) + 1):
                found.setdefault(_numbered((*table, *keys[:length]), counts), line)
            continue
        table = _numbered(keys, counts)
        if statement.lstrip().startswith("[["):
            bare = table
            counts[bare] = counts.get(bare, -1) + 1
            table = (*bare, counts[bare])
        found.setdefault(table, line)
    while where and where not in found:
        where = where[:-1]
    return found.get(where, 1)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with its line. A statement is the fewest lines that are valid TOML by themselves."""
    start, pending = 1, ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        pending += line
        try:
            empty = not tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue
        if not empty:
            yield start, pending
        start, pending = number + 1, ""


def _keys(parsed: object) -> tuple[str | int, ...]:
    """The dotted key of a statement: down while there is exactly one key and it is a table that the key opens."""
    keys: list[str | int] = []
    while isinstance(parsed, dict) and len(parsed) == 1:
        ((key, parsed),) = parsed.items()
        keys.append(key)
    return tuple(keys)


def _numbered(keys: tuple[str | int, ...], counts: dict[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
    """The same keys with the current position after each array of tables that they pass through."""
    path: tuple[str | int, ...] = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if place < len(keys) - 1 and path in counts and not isinstance(keys[place + 1], int):
            path = (*path, counts[path])
    return path
