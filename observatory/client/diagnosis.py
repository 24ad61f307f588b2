"""The answer to one question of the doctor's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from observatory.errors import ObservatoryError


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer to one question. `error` is what a Client raised, where that is why."""

    about: str
    ok: bool
    sentence: str
    error: ObservatoryError | None = None
