"""Somebody asks, and how long the answer took."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from harness.inside.dialects import ask

if TYPE_CHECKING:
    from harness.inside.reports import QuestionReport


PAUSE = 0.1
"""Seconds before a client that was turned away tries again."""


def main(endpoint: str, speaks: str, token: str, seconds: float, again: bool = False) -> None:
    """Print a `QuestionReport`. With `again`, ask until an answer is accepted or the time is over."""
    started = time.monotonic()
    until = started + seconds
    answer = ask(endpoint, speaks, token, seconds)
    while again and answer.kind != "accepted" and time.monotonic() + PAUSE < until:
        time.sleep(PAUSE)
        answer = ask(endpoint, speaks, token, max(until - time.monotonic(), PAUSE))
    took = round(time.monotonic() - started, 3)
    report: QuestionReport = {"kind": answer.kind, "text": answer.text, "seen": answer.seen, "seconds": took}
    print(json.dumps(report))
