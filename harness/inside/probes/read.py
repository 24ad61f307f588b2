"""Somebody sends an event and then asks for everybody's, plainly and with lies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.inside.dialects import ask, hooks
from harness.inside.probes.endpoint import connect
from harness.inside.probes.person import myself

if TYPE_CHECKING:
    from typing import Any


def main(endpoint: str, label: str, queries: list[str], headers: dict[str, str], seconds: float) -> None:
    """Print one JSON line for each way of asking: `asked, status, tokens`; before them who we are and what we sent."""
    token = f"secret-of-{label}"
    answer = ask(endpoint, "hooks", token, seconds)
    print(json.dumps({"label": label, "token": token, "process": myself(), "kind": answer.kind}), flush=True)
    for query, lies in [*((query, {}) for query in queries), ("", headers)]:
        said: dict[str, Any] = {"asked": query or ("with headers" if lies else "plainly")}
        try:
            with connect(endpoint, seconds) as connection:
                said["status"], said["tokens"] = hooks.read(connection, query, lies)
        except (OSError, EOFError) as error:
            said.update(status=None, tokens=[], error=str(error))
        print(json.dumps(said), flush=True)
