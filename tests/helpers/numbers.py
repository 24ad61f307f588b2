"""Numbers that are JSON, and that no reader in Python can hold as they are."""

from __future__ import annotations

from typing import Final

DIGITS: Final = "1" * 5000
"""More than Python makes an integer of."""
BEYOND: Final = ("1e999", "-1e999", "1e99999999999", DIGITS, f"-{DIGITS}", f"{DIGITS}.5")
