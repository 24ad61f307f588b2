"""Podman's service, where it does not come to answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines.podman import PodmanEngine

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="podman is Linux's")


def test_a_service_that_ends_is_told_with_podman_s_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\necho first >&2\necho 'Error: no storage for you' >&2\nexit 125\n", encoding="utf-8")
    podman.chmod(0o755)
    why = PodmanEngine().available()
    assert why == ("podman's service does not answer: Error: no storage for you; install podman, or set CONTAINER_HOST")
