"""Somebody runs one statement on a PostgreSQL server."""

from __future__ import annotations

import json

from harness.checks.probes.endpoint import connect, name
from harness.checks.probes.speak.postgresql import myself, query


def main(endpoint: str, statement: str, seconds: float) -> None:
    """Print `kind` and `rows`; the server's refusal is the only row."""
    try:
        with connect(endpoint, seconds) as connection:
            kind, rows = query(connection, myself(), statement)
    except OSError as error:
        kind, rows = name(error), []
    print(json.dumps({"kind": kind, "rows": rows}))
