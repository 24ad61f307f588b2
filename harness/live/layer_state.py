"""One layer's answer to an attempt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.live.obstacle import Obstacle
    from harness.oracle import Layer

State = Literal["passed", "refused", "not looked at"]


@dataclass(frozen=True, slots=True)
class LayerState:
    """What could not be looked at is never called passed, and what is to be done about it is told.

    `why` says by what; `look`, what to do to have it looked at. `decides`: while it is not looked at, the whole answer
    is open. It is False for what holds nobody unless root has arranged for it, where nothing says so. `active` is
    False for a module that this kernel has not got or has not been told to ask.
    """

    layer: Layer
    state: State
    why: str = ""
    look: str = ""
    decides: bool = True
    active: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """One module's answer to an attempt: what it refuses, and its state where that is nothing."""

    state: LayerState | None
    obstacles: tuple[Obstacle, ...] = ()


def inactive(layer: Layer) -> LayerState:
    """A module that this kernel does not ask."""
    return LayerState(layer, "passed", "not active in this kernel", active=False)
