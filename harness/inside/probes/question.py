"""Somebody asks once, and how long the answer took."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from harness.inside.dialects import ask

if TYPE_CHECKING:
    from harness.inside.reports import QuestionReport


def main(endpoint: str, speaks: str, token: str, seconds: float) -> None:
    """Print a `QuestionReport`."""
    started = time.monotonic()
    answer = ask(endpoint, speaks, token, seconds)
    took = round(time.monotonic() - started, 3)
    report: QuestionReport = {"kind": answer.kind, "text": answer.text, "seen": answer.seen, "seconds": took}
    print(json.dumps(report))
