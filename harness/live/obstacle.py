"""What may refuse beside permission bits: a file system's own rules, a link of /proc, a full queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.oracle import Change, Layer


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A refusal at a component, or what can't be known from there on.

    `outcome` is an errno's name, or None where the answer is not known. `why` is a sentence. `changes` would turn it.
    `last` says that it counts only where nothing else refuses; else it comes before the permissions of its component,
    or with `behind_search` before those but search. `first`: it comes before anything is looked
    up; `behind`: after the permissions of its component. `layer` is what refuses.
    """

    at: str
    outcome: str | None
    why: str
    changes: tuple[Change, ...] = ()
    last: bool = False
    behind_search: bool = False
    first: bool = False
    behind: bool = False
    layer: Layer = "path"
