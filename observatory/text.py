"""What others said, made harmless for a terminal.

Names, sentences and whole events come from other people. Nothing of it may reach a terminal that could move its
cursor, change its title or turn the direction of its text.
"""

from __future__ import annotations

import re

# JSON has control characters below 0x20 only as escapes, but not those that a terminal may also take for commands.
_COMMANDS = re.compile("[\x7f-\x9f]")


def printable(text: str) -> str:
    """The text with every character that is not seen as itself written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def printable_json(text: str) -> str:
    """JSON with the control characters that it may have as they are written as its own escapes."""
    return _COMMANDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
