"""Several places of one engine at a time, for what is independent of one another and mostly waits."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.engines.protocol import Engine, Place

MOST = 3
"""More would slow each other down where there are two processors."""
ALONE = ("vm", "host")
"""Engines whose places are one machine each."""


@contextlib.contextmanager
def places(
    engine: Engine, *, image: str | None = None, mounts: Sequence[str] = (), most: int = MOST
) -> Iterator[list[Place]]:
    """Open at least one place and at most so many, all alike. Raises PlaceError with a sentence."""
    count = 1 if engine.name in ALONE else max(1, min(most, MOST))
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(engine.open(image=image, mounts=mounts)) for _ in range(count)]
