"""Events as rows of a table: what SQL is asked about, and what Parquet keeps."""

from __future__ import annotations

import contextlib
import sqlite3
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.errors import ExitStatus, ObservatoryError
from observatory.events import LONGEST_NAME
from observatory.reading import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

COLUMNS: Final = ("id", "time", "host", "uid", "event", "session", "agent", "tool", "duration_ms", "project", "line")
"""What a row has. `line` is the whole event, as JSON."""
NUMBERS: Final = frozenset({"id", "uid", "duration_ms"})
_CREATE: Final = (
    "CREATE TABLE events (" + ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'}" for name in COLUMNS) + ")"
)
_LARGEST: Final = 1 << 63
_STEPS: Final = 10_000
"""Instructions of SQLite's after which Python gets its turn, in which it heeds an interrupt."""
_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)


_FIELDS: Final = {
    "id": "_id",
    "time": "_ts",
    "host": "_host",
    "uid": "_peer_uid",
    "event": "_event",
    "session": "session_id",
    "agent": "agent_id",
    "tool": "tool_name",
    "duration_ms": "duration_ms",
    "project": "cwd",
}
"""What each column is in an event."""


def rows(lines: Iterable[bytes], columns: Sequence[str] = COLUMNS) -> Iterator[tuple[Any, ...]]:
    """These columns of each event: numbers, texts and `None`; whatever its sender put into it."""
    whole = columns[-1:] == ("line",)
    named = columns[:-1] if whole else columns
    fields = [(name, Any, msgspec.field(name=_FIELDS[name], default=None)) for name in named]
    decode = reader(msgspec.defstruct("Event", fields))
    reads = [_READ[name] for name in named]
    values = attrgetter(*named) if len(named) > 1 else None
    for line in lines:
        event = decode(line)
        found = values(event) if values is not None else tuple(getattr(event, name) for name in named)
        row = tuple([read(value) for read, value in zip(reads, found, strict=True)])
        yield (*row, line.decode()) if whole else row


def _number(value: object) -> int | None:
    if type(value) is float and abs(value) < _LARGEST:
        return round(value)
    return value if type(value) is int and abs(value) < _LARGEST else None


def _text(value: object) -> str | None:
    return value if type(value) is str else None


def _name(value: object) -> str | None:
    """A session or a tool, as far as it can be asked for."""
    return value if type(value) is str and 0 < len(value) <= LONGEST_NAME else None


_READ: Final[dict[str, Callable[[object], Any]]] = {
    **dict.fromkeys(_FIELDS, _text),
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(("session", "tool"), _name),
}


def _of_line(column: str) -> Callable[[bytes], Any]:
    """One column, read in an event's line."""

    class Event(msgspec.Struct):
        value: Any = msgspec.field(name=_FIELDS[column], default=None)

    decode, read = reader(Event), _READ[column]
    return lambda line: read(decode(line).value)


OF_LINES: Final = {column: _of_line(column) for column in ("agent", "duration_ms", "project")}
"""How those columns are read that are in no index of a database."""


def shown_to(connection: sqlite3.Connection, read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The same as a function of SQLite's, which drops an interrupt that comes in it: here it ends the question."""

    def call(line: bytes) -> Any:
        try:
            return read(line)
        except KeyboardInterrupt:
            connection.interrupt()

    return call


def loaded(lines: Iterable[bytes], sql: str) -> sqlite3.Connection:
    """A database in memory, with as much of these events in its table `events` as a question in SQL asks for.

    Raises ObservatoryError, before any event is read, for what is no question.
    """
    columns = columns_of(sql)
    insert = f"INSERT INTO events ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - names
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute(_CREATE)
        with _clear():
            connection.execute("BEGIN")
            connection.executemany(insert, rows(lines, columns))
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def columns_of(sql: str) -> tuple[str, ...]:
    """The columns that a question is about, one at least: SQLite says so when it prepares it. Raises ObservatoryError
    for what is no question.
    """
    if not sql.strip() or sql.lstrip()[:7].lower() == "explain":
        return COLUMNS
    found: set[str] = set()

    def note(action: int, table: str | None, column: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_READ and table == "events" and column:
            found.add(column)
        return _allow(action)

    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(_CREATE)
        connection.set_authorizer(note)
        with _clear():
            connection.execute(f"EXPLAIN {sql}")
    return tuple(column for column in COLUMNS if column in found) or COLUMNS[:1]


def asked(connection: sqlite3.Connection, sql: str) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """The answer to a question in SQL about the events of a database, of which nothing but reading is allowed: its
    headings, and its rows. Raises ObservatoryError.
    """
    connection.set_authorizer(lambda action, *_: _allow(action))
    connection.set_progress_handler(lambda: None, _STEPS)
    with _clear():
        cursor = connection.execute(sql)
    if cursor.description is None:
        raise ObservatoryError("this is not a query: begin with SELECT", ExitStatus.USAGE)
    return tuple(column[0] for column in cursor.description), _rest(cursor)


def _allow(action: int) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _rest(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with _clear():
        for row in cursor:  # noqa: UP028 - that would close the cursor, perhaps of a connection that is closed by then
            yield row


@contextlib.contextmanager
def _clear() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise KeyboardInterrupt from None  # SQLite has ended for one, and sqlite3 has dropped it
        what = "only reading is allowed" if "not authorized" in str(error) or "prohibited" in str(error) else str(error)
        columns = ", ".join(COLUMNS)
        raise ObservatoryError(f"SQL: {what}; the table is events ({columns})", ExitStatus.USAGE) from None
