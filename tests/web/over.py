"""The page over a source that a test has, in place of a server."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import uvicorn

from observatory.feed.feed import Feed
from observatory.web.app import application
from observatory.web.gate import Gate
from observatory.web.port import listen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Lines:
    """A source with these events, numbered from their first one's id, and nothing more."""

    def __init__(self, name: str, first: int, lines: Sequence[str]) -> None:
        self.name = name
        self.over = threading.Event()
        self._first = first
        self._lines = lines

    def newest(self) -> int:
        return self._first + len(self._lines) - 1

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        yield from self.between(self.newest() - limit if after is None else after, self.newest())
        self.over.wait()

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self._lines, self._first):
            if after < number <= through:
                yield number, line.encode()

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError


@contextlib.contextmanager
def page_over(source: Lines) -> Iterator[str]:
    """The link to a page that shows this source."""
    sock = listen(0)
    feed = Feed(source)
    gate = Gate(application(feed), sock.getsockname()[1], lambda: None)
    server = uvicorn.Server(uvicorn.Config(gate, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    link = gate.link()
    feed.start()
    thread.start()
    try:
        yield link
    finally:
        feed.stop()
        source.over.set()
        server.should_exit = True
        thread.join()
        sock.close()
