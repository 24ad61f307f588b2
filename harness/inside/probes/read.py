"""Somebody sends an event and then asks for everybody's, plainly and with lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.inside.dialects import ask, hooks
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    from harness.inside.reports import ReadReport


def main(endpoint: str, label: str, queries: list[str], headers: dict[str, str], seconds: float) -> None:
    """Print a `ReadReport` for each way of asking."""
    ask(endpoint, "hooks", f"secret-of-{label}", seconds)
    for query, lies in [*((query, {}) for query in queries), ("", headers)]:
        asked = query or ("with headers" if lies else "plainly")
        report: ReadReport = {"asked": asked, "status": None, "tokens": [], "error": None}
        try:
            with connect(endpoint, seconds) as connection:
                report["status"], report["tokens"] = hooks.read(connection, query, lies)
        except (OSError, EOFError) as error:
            report["error"] = str(error)
        print(json.dumps(report), flush=True)
