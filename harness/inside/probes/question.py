"""Somebody asks once, and how long the answer took."""

from __future__ import annotations

import json
import time

from harness.inside.dialects import ask


def main(endpoint: str, speaks: str, token: str, seconds: float) -> None:
    """Print `kind, text, seen, seconds`."""
    started = time.monotonic()
    answer = ask(endpoint, speaks, token, seconds)
    took = round(time.monotonic() - started, 3)
    print(json.dumps({"kind": answer.kind, "text": answer.text, "seen": answer.seen, "seconds": took}))
