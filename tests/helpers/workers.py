"""Which worker of pytest-xdist runs what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from xdist.remote import Producer


class OneWorkerEach(LoadScopeScheduling):
    """One worker has all of what tests share, which `shared` names for a test. The groups of xdist 3.8 itself have no
    effect with pytest 9.2, which does not let it write them into the names of tests.
    """

    def __init__(self, config: pytest.Config, log: Producer, shared: Callable[[str], str]) -> None:
        super().__init__(config, log)
        self._shared = shared

    def _split_scope(self, nodeid: str) -> str:
        return self._shared(nodeid)
