"""The tables of a database, and how one of an earlier version gets them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE event (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, name TEXT NOT NULL, uid INTEGER, session TEXT, tool TEXT,
            line BLOB NOT NULL
        )""",
        "CREATE TABLE facet (id INTEGER PRIMARY KEY, name TEXT NOT NULL, uid INTEGER, session TEXT, tool TEXT)",
        "CREATE INDEX facet_by_name ON facet (name)",
        "CREATE INDEX facet_by_uid ON facet (uid)",
        "CREATE INDEX facet_by_session ON facet (session) WHERE session IS NOT NULL",
        "CREATE INDEX facet_by_tool ON facet (tool) WHERE tool IS NOT NULL",
    ),
    ("CREATE INDEX facet_by_uid_and_session ON facet (uid, session) WHERE session IS NOT NULL",),
    (
        # What tells this database from every other one, also from the next at the same path.
        "CREATE TABLE identity (database TEXT NOT NULL)",
        "INSERT INTO identity VALUES (lower(hex(randomblob(8))))",
    ),
    (),  # what it made is made anew by the next
    # With the time, also as a text, of which SQL asks for parts. It is filled anew as it is after a crash: bit by bit,
    # beside the work.
    (
        "DROP TABLE facet",
        """CREATE TABLE facet (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, stamp TEXT NOT NULL, name TEXT NOT NULL, uid INTEGER,
            session TEXT, tool TEXT
        )""",
        "CREATE INDEX facet_by_name ON facet (name)",
        "CREATE INDEX facet_by_uid ON facet (uid)",
        "CREATE INDEX facet_by_uid_and_session ON facet (uid, session) WHERE session IS NOT NULL",
        "CREATE INDEX facet_by_session ON facet (session) WHERE session IS NOT NULL",
        "CREATE INDEX facet_by_tool ON facet (tool) WHERE tool IS NOT NULL",
    ),
)
"""Statements that take a database from the version that is their place in this list to the next one."""

STAMP: Final = "strftime('%Y-%m-%dT%H:%M:%S',time/1000000,'unixepoch')||'.'||substr(1000000+time%1000000,2)||'Z'"
"""The time of an event as its line has it, in SQL."""


_COLUMNS: Final = frozenset({"id", "time", "name", "uid", "session", "tool", "line"})


class Holds(Enum):
    """What there is in a database's file."""

    NOTHING = "nothing"
    OWN = "events"
    FOREIGN = "another program's tables"


def version(connection: sqlite3.Connection) -> int:
    """The version of a database; 0 for a new one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def holds(connection: sqlite3.Connection) -> Holds:
    """Whose a database is, by its version and the table that every version has."""
    (found,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not found and not version(connection):
        return Holds.NOTHING
    columns = {row[1] for row in connection.execute("PRAGMA table_info(event)")}
    return Holds.OWN if version(connection) and columns >= _COLUMNS else Holds.FOREIGN


def migrate(connection: sqlite3.Connection) -> None:
    """Take a database to the newest version, each step in one transaction. Raises sqlite3.Error."""
    old = version(connection)
    for number, statements in enumerate(MIGRATIONS[old:], old + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
