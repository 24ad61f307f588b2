"""The table in the documentation is what the kernel under this engine answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.identity.table import DOCUMENT, rows

if TYPE_CHECKING:
    from tests.integration.identity.conftest import Stage


def test_the_table_says_what_this_kernel_answers(stage: Stage) -> None:
    written = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("|")]

    assert rows(stage) == written
