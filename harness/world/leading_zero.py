"""What to write in place of a number that begins with 0, such as a mode without quotes, which is no TOML."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?:(?P<key>[\w.\"'-]+)\s*=\s*)?(?P<sign>[+-]?)(?P<digits>0[0-9_]+)(?![\w.:-])")
_PLACE = re.compile(r"at line (\d+), column (\d+)")
_MODES = ("mode", "at_most")


def leading_zero(text: str, error: ValueError) -> str | None:
    """A sentence if such a number is what the TOML parser stopped at, behind its 0; else `None`."""
    place = _PLACE.search(str(error))
    if place is None:
        return None
    line, column = text.split("\n")[int(place[1]) - 1], int(place[2])
    for found in _NUMBER.finditer(line):
        if found.start("digits") + 2 == column:
            key, digits = found["key"] or "", found["digits"]
            number = found["sign"] + (digits.replace("_", "").lstrip("0") or "0")
            value = f'"{digits}"' if key.rpartition(".")[2] in _MODES else number
            return f"a number can't begin with 0: write {f'{key} = ' if key else ''}{value}"
    return None
