"""Somebody runs one statement on a PostgreSQL server."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from harness.inside import errnos
from harness.inside.credentials import user_name
from harness.inside.dialects.postgresql import query
from harness.inside.probes.endpoint import connect

if TYPE_CHECKING:
    from harness.inside.reports import StatementReport


def main(endpoint: str, statement: str, seconds: float) -> None:
    """Print a `StatementReport`."""
    try:
        with connect(endpoint, seconds) as connection:
            kind, rows = query(connection, user_name(os.geteuid()) or "nobody", statement)
    except OSError as error:
        kind, rows = errnos.name(error), []
    report: StatementReport = {"kind": kind, "rows": rows}
    print(json.dumps(report))
