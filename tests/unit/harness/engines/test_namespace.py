"""Whether the namespace engine works here is found out by a program whose children may outlive it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness.engines.namespace import NamespaceEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture
def unshare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in unshare's place."""

    def write(script: str) -> None:
        program = tmp_path / "unshare"
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return write


def test_a_child_that_unshare_leaves_behind_holds_nobody_up_and_is_ended(
    unshare: Callable[[str], None], tmp_path: Path
) -> None:
    """As in a container of Docker's, in which an ordinary user with ranges in /etc/subuid may not make a namespace."""
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    # A writer that is open for as long as the child lives: reading to the end waits for that child's end.
    unshare(f"exec 9<>{alive}; sleep 1000 & echo 'unshare failed: Operation not permitted' >&2; exit 1")
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    with os.fdopen(reader, "rb") as held:
        why = NamespaceEngine().available()
        assert held.read() == b""
    assert why is not None
    assert "(unshare failed: Operation not permitted)" in why


def test_it_works_where_unshare_succeeds(unshare: Callable[[str], None]) -> None:
    unshare("exit 0")
    assert NamespaceEngine().available() is None
