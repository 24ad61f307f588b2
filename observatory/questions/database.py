"""A server's database, asked itself: by the user whose both are.

Whoever the server runs as may read its file, as it may read all of the server's events. So a question about them need
not fetch each first: what is asked of hundreds of thousands of events is answered at once.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from observatory.questions.tables import OF_LINES, shown_to
from observatory.store.query import Query, every
from observatory.store.schema import STAMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from observatory.client.client import Client, Parameters

_FROM: Final = {
    "id": "id",
    "time": "stamp",
    "host": "NULL",
    "uid": "uid",
    "event": "name",
    "session": "session",
    "tool": "tool",
    "line": "CAST(line AS TEXT)",
}
"""What the columns of a question are in the database; the others are read in the line."""
_TABLES: Final = ("main.event", "main.facet")
_NAMES: Final = {"event": "name", "tool": "tool", "session": "session"}


def opened(server: Client, parameters: Parameters, columns: Sequence[str]) -> sqlite3.Connection | None:
    """A connection to the events that these parameters of `/events` select, with these columns in the view `events`;
    `None` if they have to be fetched: the database is another user's, or not to be seen from here.

    Raises ObservatoryError.
    """
    if sys.platform == "win32":
        return None  # whose a file is, nobody says there
    where = _conditions(parameters)
    found = None if where is None else server.database_file()
    if found is None:
        return None
    path, identity = found
    try:
        status = os.stat(path, follow_symlinks=False)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            return None
        connection = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True, isolation_level=None)
    except (OSError, sqlite3.Error, ValueError):
        return None
    try:
        # Another file may have that name here: in a container, say.
        if connection.execute("SELECT database FROM identity").fetchone() == (identity,):
            _show(connection, columns, str(where))
            return connection
    except sqlite3.Error:
        pass
    connection.close()
    return None


def _show(connection: sqlite3.Connection, columns: Sequence[str], where: str) -> None:
    """Make the view, of what is there now."""
    for name, read in OF_LINES.items():
        connection.create_function(f"observatory_{name}", 1, shown_to(connection, read), deterministic=True)
    connection.execute("BEGIN")
    last, indexed = (connection.execute(f"SELECT ifnull(max(id), 0) FROM {table}").fetchone()[0] for table in _TABLES)  # noqa: S608
    some = ",".join(("id", "time", "name", "uid", "session", "tool"))
    # A line is looked up only if something of it is asked for. What is not indexed yet is looked at itself.
    source = f"SELECT {some},stamp,(SELECT line FROM main.event WHERE event.id=facet.id) AS line FROM main.facet"  # noqa: S608
    if last > indexed:
        source += f" UNION ALL SELECT {some},{STAMP},line FROM main.event WHERE id>{indexed}"  # noqa: S608
    shown = ",".join(f"{_FROM.get(name, f'observatory_{name}(line)')} AS {name}" for name in columns)
    connection.execute(f"CREATE TEMP VIEW events AS SELECT {shown} FROM ({source}){where}")  # noqa: S608 - see `_quoted`


def _conditions(parameters: Parameters) -> str | None:
    """The same as SQL; `None` for parameters of which that is not known."""
    if any(name not in {*_NAMES, "beginning", "since", "until", "user", "after"} for name in parameters):
        return None
    query = Query.of(parameters, None)
    found = []
    for name, column in _NAMES.items():
        values = every(parameters, name)
        either = [f"{column} IN ({', '.join(map(_quoted, values))})"] if values else []
        if name == "session":
            either += (f"substr(session, 1, {len(text)}) = {_quoted(text)}" for text in query.beginning)
        if either:
            found.append(f"({' OR '.join(either)})")
    if user := every(parameters, "user"):
        found.append(f"uid = {int(user[0])}")
    if after := every(parameters, "after"):
        found.append(f"id > {int(after[0])}")
    if query.since is not None:
        found.append(f"time >= {query.since}")
    if query.until is not None:
        found.append(f"time < {query.until}")
    return f" WHERE {' AND '.join(found)}" if found else ""


def _quoted(text: str) -> str:
    """A text as SQL has it: a view takes no parameters."""
    return "'" + text.replace("'", "''").replace("\0", "' || char(0) || '") + "'"
