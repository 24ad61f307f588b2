"""What others said, made harmless for a terminal, and what they may have meant.

Names, sentences and whole events come from other people. Nothing of it may reach a terminal that could move its
cursor, change its title or turn the direction of its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNSEEN: Final = (
    (0x7F, 0x9F),  # delete, and the control characters that a terminal takes for commands as it does those of ASCII
    *((0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891), (0x8E2, 0x8E2)),
    *((0x180E, 0x180E), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB)),
    *((0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
    (0xE0000, 0xE007F),
)
"""Unicode's categories Cc, Cf (turns of direction among them), Zl and Zp, less what JSON has as escapes only."""

TIMES: Final = "1h, today, yesterday, 2026-01-31 or 2026-01-31T13:00+01:00"
"""Examples of times that a person may ask for."""
_LONGEST_WORD: Final = 100
"""No name that is known is longer, and looking at a longer word takes as long as its sender likes."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Which of the known names was probably meant by a word, upper and lower case alike."""
    import difflib  # noqa: PLC0415 - few need it, and it takes a while

    if len(word) > _LONGEST_WORD:
        return None
    by_letters = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_letters, n=1)
    return by_letters[near[0]] if near else None


def _escape(code: int) -> str:
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


_ESCAPES: Final = {code: _escape(code) for first, last in _UNSEEN for code in range(first, last + 1)}


def printable(text: str) -> str:
    """The text with every character that is not seen as itself written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def printable_lines(text: str) -> str:
    """The same of a text that has lines and columns: line feeds and tabs stay."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(printable(column) for column in line.split("\t")) for line in text.split("\n"))


def printable_json(text: str) -> str:
    """JSON with every character that is not seen as itself written as JSON's own escape, so that it means the same."""
    if text.isascii() and "\x7f" not in text:
        return text
    return text.translate(_ESCAPES)
