"""This process in another time zone."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING
from unittest import mock

from observatory.feed import times

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def time_zone(name: str) -> Iterator[None]:
    """Have the machine's zone be this one."""
    try:
        with mock.patch.dict(os.environ, TZ=name):
            _begin()
            yield
    finally:
        _begin()


def _begin() -> None:
    time.tzset()
    times._shown.cache_clear()
