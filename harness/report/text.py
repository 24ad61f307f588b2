"""Words on a line with a style each, and how they look plain and in colour. Standard library only."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

Style = Literal["plain", "dim", "strong", "refused", "allowed", "warning"]

_ANSI: dict[Style, str] = {
    "plain": "",
    "dim": "\x1b[2m",
    "strong": "\x1b[1m",
    "refused": "\x1b[1;31m",
    "allowed": "\x1b[32m",
    "warning": "\x1b[33m",
}

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class Span(NamedTuple):
    """Some text in one style."""

    text: str
    style: Style = "plain"


Line = tuple[Span, ...]


def visible(name: str) -> str:
    r"""A name as it is safe to show: what could move a cursor, hide or reorder text is written as an escape.

    >>> visible("caf\xe9 \x1b[2J")
    'café \\x1b[2J'
    """
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), name)


def _escape(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def plain(lines: Iterable[Line]) -> str:
    """The lines without any style, each ended by a newline."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lines)


def coloured(lines: Iterable[Line]) -> str:
    """The lines in a terminal's colours (ECMA-48), each ended by a newline."""
    return "".join("".join(_colour(span) for span in line) + "\n" for line in lines)


def _colour(span: Span) -> str:
    before = _ANSI[span.style]
    return f"{before}{span.text}\x1b[0m" if before and span.text else span.text


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose owner has not asked for plain text (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
