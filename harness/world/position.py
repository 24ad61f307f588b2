"""Where in a TOML text a key stands. Only asked when something is wrong, so it may take its time."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

KeyPath = tuple[str | int, ...]
"""A place in a world, as keys and positions: `("nodes", 2, "mode")`."""
PART: Final = re.compile(r"""[\w+-]++|"(?:\\.|[^"\\\n])*+"?|'[^'\n]*+'?""")
"""A part of a dotted key, and a text of one line."""
TOKEN: Final = re.compile(
    r""""{3}(?:\\.|(?!"{3})[^\\])*+"{0,5}|'{3}(?:(?!'{3}).)*+'{0,5}|#[^\n]*+"""
    rf"|(?P<key>(?:{PART.pattern})(?:[ \t]*+\.[ \t]*+(?:{PART.pattern}))*+)"
    r"|(?P<opening>[\[{])|(?P<closing>[\]}])|(?P<end>\n)",
    re.DOTALL,
)
"""What is not to be taken for something else: texts and comments; dotted keys; brackets; ends of lines.

What is not closed goes as far as it can, so that to go through a text takes no longer than the text is long.
"""


def spoken(where: KeyPath) -> str:
    """A place in words: `nodes[2].mode`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def line_of(text: str, where: KeyPath) -> int:
    """The line (from 1) of the key, or of the innermost table around it that the text names.

    `text` must be valid TOML; `where` are keys, and positions in arrays of tables.
    """
    found: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in _statements(text):
        keys = _keys(tomllib.loads(statement))
        if not keys:
            continue
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
    """Each line with its number; several that brackets or quotes hold together are one."""
    line, start, depth = 1, 0, 0
    for token in TOKEN.finditer(text):
        depth += (token["opening"] is not None) - (token["closing"] is not None)
        if token["end"] is not None and depth == 0:
            yield line, text[start : token.end()]
            line += text.count("\n", start, token.end())
            start = token.end()
    yield line, text[start:]


def _keys(parsed: object) -> KeyPath:
    """The dotted key of a statement: down while there is exactly one key and it is a table that the key opens."""
    keys: list[str | int] = []
    while isinstance(parsed, dict) and len(parsed) == 1:
        ((key, parsed),) = parsed.items()
        keys.append(key)
    return tuple(keys)


def _numbered(keys: KeyPath, counts: dict[KeyPath, int]) -> KeyPath:
    """The same keys with the current position after each array of tables that they pass through."""
    path: KeyPath = ()
    for place, key in enumerate(keys):
        path = (*path, key)
        if place < len(keys) - 1 and path in counts and not isinstance(keys[place + 1], int):
            path = (*path, counts[path])
    return path
