"""Containers of Docker's engine, of which a test asks more than the harness does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker.models.containers import Container


def run(container: Container, command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command in a running container to its end; the exit status, and what it wrote."""
    status, output = container.exec_run(list(command), environment=dict(environment or {}))
    assert isinstance(status, int)
    assert isinstance(output, bytes)
    return status, output.decode(errors="replace")
