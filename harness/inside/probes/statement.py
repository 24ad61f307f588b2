"""Somebody runs one statement on a PostgreSQL server."""

from __future__ import annotations

import json
import os

from harness.inside.dialects.postgresql import query
from harness.inside.probes.endpoint import connect, name
from harness.inside.probes.person import user_name


def main(endpoint: str, statement: str, seconds: float) -> None:
    """Print `kind` and `rows`; the server's refusal is the only row."""
    try:
        with connect(endpoint, seconds) as connection:
            kind, rows = query(connection, user_name(os.geteuid()) or "nobody", statement)
    except OSError as error:
        kind, rows = name(error), []
    print(json.dumps({"kind": kind, "rows": rows}))
