"""What tests of looking at this machine share."""

from __future__ import annotations

import pytest

from harness.live import apparmor, components, foreign_root, listener, selinux, sockets, trial
from tests.helpers.deadline import PATIENCE


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How busy this machine is, and so how long a look takes, is nothing that is tested here."""
    for module in (components, foreign_root, listener, sockets, trial):
        monkeypatch.setattr(module, "SECONDS", PATIENCE)
    for asking in (apparmor, selinux):
        monkeypatch.setattr(asking, "_SECONDS", PATIENCE)
