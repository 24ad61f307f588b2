"""What the page asks for: itself, its data, and the stream of what comes."""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import socket
from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from observatory.client.query import KNOWN
from observatory.feed.conversation import conversation
from observatory.feed.feed import KEPT
from observatory.feed.search import steps
from observatory.feed.source import SourceError
from observatory.identity.names import group_name, user_name
from observatory.reading import read_event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from observatory.feed.feed import Feed

FIRST: Final = 2_000
"""Rows that a page gets at once when it opens; it asks for older ones afterwards."""
MORE: Final = 20_000
"""Rows in one answer to that, at most."""
CALM: Final = 0.1
"""Seconds for which news is gathered, so that a page has at most so many changes a second."""
SILENCE: Final = 10.0
"""Seconds after which a stream without news says that it still lives."""
SEARCHED: Final = 20_000
"""Places that one search looks at, at most: the page asks for one stretch after the other, the newest first."""
TALK: Final = 5_000
"""Events of a session that are told as a conversation, at most: its latest."""

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_encode = msgspec.json.Encoder().encode


def application(feed: Feed, utc: bool = False) -> Starlette:
    """The page's application, which shows times in UTC or as the browser's clock has them.

    Whom it serves is not its business: see `observatory.web.gate`.
    """
    files = _files()
    looks = _Looks(feed, utc)

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            return PlainTextResponse("There is no such file.\n", HTTPStatus.NOT_FOUND)
        content, kind = files[name]
        return Response(content, media_type=kind)

    return Starlette(
        routes=[
            Route("/", file),
            Route("/page/{name}", file),
            Route("/api/stream", looks.stream),
            Route("/api/rows", looks.rows),
            Route("/api/events/{place:int}", looks.event),
            Route("/api/search", looks.search),
            Route("/api/conversation", looks.conversation),
        ]
    )


def _files() -> dict[str, tuple[bytes, str]]:
    folder = importlib.resources.files("observatory.web") / "page"
    return {
        item.name: (item.read_bytes(), _TYPES[suffix])
        for item in folder.iterdir()
        if (suffix := os.path.splitext(item.name)[1]) in _TYPES
    }


class _Looks:
    """The data of one feed, as a page wants it."""

    def __init__(self, feed: Feed, utc: bool) -> None:
        self._feed = feed
        self._utc = utc

    async def stream(self, request: Request) -> Response:
        """Server-sent events: what there is, then what comes, a batch in each."""
        after = _whole(request, "after", 0)
        if after is None:
            return _bad("after")
        return StreamingResponse(self._batches(after), media_type="text/event-stream")

    async def _batches(self, after: int) -> AsyncIterator[bytes]:
        feed = self._feed
        news_came = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(news_came.set)

        forget = feed.listen(tell)
        try:
            place, version, generation, state = after, 0, 0, None
            hello = {
                "source": feed.source.name,
                "viewer": user_name(os.geteuid()),
                "machine": socket.gethostname(),
                "kept": KEPT,
                "known": KNOWN,
                "stretch": SEARCHED,
                "utc": self._utc,
            }
            yield _said("hello", hello)
            while not feed.stopped:
                news_came.clear()
                news = feed.news(place, version, generation, FIRST if not place else None)
                batch: dict[str, Any] = {}
                if news.fresh:
                    batch["fresh"] = True
                if news.gap:
                    batch["gap"] = True
                if news.rows or news.fresh:
                    batch["rows"] = news.rows
                if news.cards or news.fresh:
                    batch["cards"] = news.cards
                if feed.state != state:
                    state = feed.state
                    batch["state"] = asdict(state)
                place, version, generation = news.place, news.version, news.generation
                if batch:
                    yield _said("batch", batch)
                try:
                    async with asyncio.timeout(SILENCE):
                        await news_came.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                else:
                    await asyncio.sleep(CALM)
        finally:
            forget()

    async def rows(self, request: Request) -> Response:
        """Older rows than a page has."""
        before = _whole(request, "before")
        if before is None:
            return _bad("before")
        return _json(self._feed.before(before, MORE))

    async def event(self, request: Request) -> Response:
        """One event, whole, and the names that its numbers have on this machine."""
        place = request.path_params["place"]
        try:
            lines = await run_in_threadpool(lambda: list(self._feed.source.between(place - 1, place)))
        except SourceError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        if not lines:
            return PlainTextResponse("That event is not kept any more.\n", HTTPStatus.NOT_FOUND)
        line = lines[0][1]
        return _json({"text": msgspec.json.format(line, indent=2).decode(), "names": _names(line)})

    async def conversation(self, request: Request) -> Response:
        """One session as a conversation, from its latest events, and who the kernel says its user is."""
        session, host = request.query_params.get("session", ""), request.query_params.get("host")
        uid = _whole(request, "uid", -1)
        if not session or uid is None:
            return _bad("session, and host and uid where these are known")
        owner = None if uid == -1 else uid

        def look() -> list[tuple[int, dict[str, Any]]]:
            latest = self._feed.source.of_session(host, owner, session, TALK)
            return [(place, read_event(line)) for place, line in latest]

        try:
            events = await run_in_threadpool(look)
        except SourceError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)
        if not events:
            return PlainTextResponse("No event of that session is kept any more.\n", HTTPStatus.NOT_FOUND)
        known = "a user whose uid it can't translate" if owner is None else f"{user_name(owner)} (uid {owner})"
        user = known if host is None else f"uid {owner} on {host}, by that host's word"
        return _json({"told": conversation(session, events), "user": user, "cut": len(events) == TALK})

    async def search(self, request: Request) -> Response:
        """The places of events that have a text anywhere in them, upper and lower case alike, of so many at most."""
        text = request.query_params.get("text", "").lower()
        after, through = _whole(request, "after"), _whole(request, "through")
        if after is None or through is None or not text:
            return _bad("text, after and through")
        found = steps(self._feed.source, text, max(after, through - SEARCHED), through, SEARCHED)
        try:
            return _json(await run_in_threadpool(next, found, []))
        except SourceError as error:
            return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)


class _Numbers(msgspec.Struct):
    peer_uid: int | None = msgspec.field(default=None, name="_peer_uid")
    peer_gid: int | None = msgspec.field(default=None, name="_peer_gid")
    peer_groups: list[int] | None = msgspec.field(default=None, name="_peer_groups")
    host: str | None = msgspec.field(default=None, name="_host")


def _names(line: bytes) -> dict[str, Any]:
    """Names of an event's uid and gids on this machine; none for those of another machine."""
    numbers = msgspec.json.decode(line, type=_Numbers)
    if numbers.host is not None:
        return {"user": None, "groups": {}}
    groups = {numbers.peer_gid, *(numbers.peer_groups or ())} - {None}
    return {
        "user": None if numbers.peer_uid is None else user_name(numbers.peer_uid),
        "groups": {str(gid): group_name(gid) for gid in list(groups)[:1000]},
    }


def _whole(request: Request, name: str, default: int | None = None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _bad(name: str) -> Response:
    return PlainTextResponse(f"This takes {name}.\n", HTTPStatus.BAD_REQUEST)


def _json(value: object) -> Response:
    return Response(_encode(value), media_type="application/json")


def _said(event: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), _encode(data))
