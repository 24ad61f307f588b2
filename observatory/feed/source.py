"""Where events come from: a server's socket, or whatever else can follow, fetch and count them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from observatory.errors import ObservatoryError
from observatory.feed.row import NAME
from observatory.reading import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from observatory.client.client import Client


class SourceError(ObservatoryError):
    """Why no events come just now; later they may come again."""


class Source(Protocol):
    """Events in an order that does not change, each with its place in it: a number that grows."""

    name: str
    """What a person calls it."""

    def newest(self) -> int:
        """The place of the newest event; 0 if there is none. Raises SourceError."""
        ...

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        """Events after that place, or with `None` the newest ones, `limit` at most, and then what comes.

        Each with its place and its line of JSON. Ends when the source does. Raises SourceError.
        """
        ...

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        """The events of after < place <= through. Raises SourceError."""
        ...

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        """The newest events of a user's session, `limit` at most, the oldest first. Its id may be cut, as in a `Row`.

        Raises SourceError.
        """
        ...


class DatabaseSource(Source, Protocol):
    """Events of one server, which may come back with another database, whose ids begin at 1 again."""

    def database(self) -> str:
        """What tells its database from every other one. Raises SourceError."""
        ...

    def since(self, database: str, after: int) -> Iterator[tuple[int, bytes]]:
        """Events of that database after that id, and then what comes. Raises SourceError if it's another one now."""
        ...


class ServerSource:
    """The events of one server, as far as the kernel lets its client see them. Their place is their `_id`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = client.path

    def newest(self) -> int:
        """The id of the newest event."""
        return max((place for place, _ in self._lines({"limit": "1"})), default=0)

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        """Events after that id, or the newest, and then what comes."""
        start = {"limit": str(limit)} if after is None else {"after": str(after)}
        return self._lines({**start, "follow": "1"})

    def database(self) -> str:
        """What tells its database from every other one."""
        try:
            return self._client.database()
        except ObservatoryError as error:
            raise SourceError(str(error)) from error

    def since(self, database: str, after: int) -> Iterator[tuple[int, bytes]]:
        """Events of that database after that id, and then what comes."""
        return self._lines({"database": database, "after": str(after), "follow": "1"})

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        """The events of these ids."""
        if through <= after:
            return
        # No more than so many ids lie between; those that others sent are not shown.
        for place, line in self._lines({"after": str(after), "limit": str(through - after)}):
            if place > through:
                return
            yield place, line

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        """The newest events of a user's session."""
        asked = {"beginning" if len(session) == NAME else "session": session, "limit": str(limit)}
        if uid is not None:
            asked["user"] = str(uid)
        of_it = is_of_session(host, uid, session)
        return (found for found in self._lines(asked) if of_it(found[1]))

    def _lines(self, parameters: dict[str, str]) -> Iterator[tuple[int, bytes]]:
        try:
            for line in self._client.lines(parameters):
                yield place_of(line), line
        except ObservatoryError as error:
            raise SourceError(str(error)) from error


class _Session(msgspec.Struct):
    """What is read of an event to tell whose it is; whatever its sender put there."""

    session: Any = msgspec.field(default=None, name="session_id")
    uid: Any = msgspec.field(default=None, name="_peer_uid")
    host: Any = msgspec.field(default=None, name="_host")


def is_of_session(host: str | None, uid: int | None, session: str) -> Callable[[bytes], bool]:
    """Whether an event's line is of a session of a host's user."""
    decode = reader(_Session)

    def is_of_it(line: bytes) -> bool:
        said = decode(line)
        return (said.host, said.uid) == (host, uid) and type(said.session) is str and said.session[:NAME] == session

    return is_of_it


def place_of(line: bytes) -> int:
    """The `_id` of an event's line, which is its first field. Raises SourceError for what is no event."""
    start, _, rest = line.partition(b":")
    number, _, _ = rest.partition(b",")
    if start != b'{"_id"' or not number.isdigit():
        raise SourceError("the server's answer is not made of events")
    return int(number)
