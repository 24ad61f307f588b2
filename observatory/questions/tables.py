"""Events as rows of a table: what SQL is asked about, and what Parquet keeps."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.errors import ExitStatus, ObservatoryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMNS: Final = ("id", "time", "host", "uid", "event", "session", "agent", "tool", "duration_ms", "project", "line")
"""What a row has. `line` is the whole event, as JSON."""
NUMBERS: Final = frozenset({"id", "uid", "duration_ms"})
_CREATE: Final = (
    "CREATE TABLE events (" + ", ".join(f"{name} {'INTEGER' if name in NUMBERS else 'TEXT'}" for name in COLUMNS) + ")"
)
_INSERT: Final = f"INSERT INTO events VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - no values
_LARGEST: Final = 1 << 63
_ALLOWED: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)


class _Event(msgspec.Struct):
    """What is read of an event; whatever its sender put into it."""

    id: Any = msgspec.field(name="_id", default=None)
    time: Any = msgspec.field(name="_ts", default=None)
    host: Any = msgspec.field(name="_host", default=None)
    uid: Any = msgspec.field(name="_peer_uid", default=None)
    event: Any = msgspec.field(name="_event", default=None)
    session: Any = msgspec.field(name="session_id", default=None)
    agent: Any = msgspec.field(name="agent_id", default=None)
    tool: Any = msgspec.field(name="tool_name", default=None)
    duration_ms: Any = None
    project: Any = msgspec.field(name="cwd", default=None)


def rows(lines: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    """A row for each event: numbers, texts and `None`."""
    decode = msgspec.json.Decoder(_Event).decode
    for line in lines:
        event = decode(line)
        yield (
            _number(event.id),
            _text(event.time),
            _text(event.host),
            _number(event.uid),
            _text(event.event),
            _text(event.session),
            _text(event.agent),
            _text(event.tool),
            _number(event.duration_ms),
            _text(event.project),
            line.decode(),
        )


def _number(value: object) -> int | None:
    if type(value) is float and abs(value) < _LARGEST:
        return round(value)
    return value if type(value) is int and abs(value) < _LARGEST else None


def _text(value: object) -> str | None:
    return value if type(value) is str else None


def asked(lines: Iterable[bytes], sql: str) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """The answer to a question in SQL about these events, which are the table `events`: its headings, and its rows.

    They are put into a database in memory, of which nothing but reading is allowed. Raises ObservatoryError.
    """
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(_CREATE)
    with _clear():
        connection.execute("BEGIN")
        connection.executemany(_INSERT, rows(lines))
        connection.execute("COMMIT")
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY)
        cursor = connection.execute(sql)
    if cursor.description is None:
        raise ObservatoryError("this asks for nothing: begin with SELECT", ExitStatus.USAGE)
    return tuple(column[0] for column in cursor.description), _rest(cursor)


def _rest(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    with _clear():
        yield from cursor


@contextlib.contextmanager
def _clear() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
        what = "only reading is allowed" if "not authorized" in str(error) or "prohibited" in str(error) else str(error)
        columns = ", ".join(COLUMNS)
        raise ObservatoryError(f"SQL: {what}; the table is events ({columns})", ExitStatus.USAGE) from None
