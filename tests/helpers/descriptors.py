"""The descriptors of this process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))


@contextmanager
def none_left_open() -> Iterator[None]:
    """What is done here leaves no descriptor open; one of an earlier test may be closed meanwhile, by the collector."""
    before = open_descriptors()
    yield
    assert open_descriptors() <= before
