"""Who gets anything from the page's port: one user's browser, on a transport that knows no users.

Every user of the machine can connect to a port on the loopback address. So nothing is answered but to:

1. the address under which the page was opened (`Host`): a name that an attacker points to 127.0.0.1 is refused (421);
2. the page itself (`Origin`, `Sec-Fetch-Site`): another site's page, or one at another port, is refused (403);
3. who brings the one-time token of the printed URL, and gets for it a cookie that scripts can't read and that no other
   site can make the browser send, or who brings that cookie (403 to all others);
4. for data also the key: browsers send a cookie to *every* port of an address, so that another user's server on the
   same machine may come to see it. The key is in the storage of the page's origin, which includes the port.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, PlainTextResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

KNOWN: Final = "observatory.known"
"""The key in a scope's `state` of what to call when a request has shown that its connection is no stranger's."""
COOKIE: Final = "observatory-{port}"
"""A cookie's name: a browser has one cookie of a name for all ports of an address."""
COOKIES: Final = 64
"""Cookies of that name in one request that are looked at, at most: one may come for each path."""
BROWSERS: Final = 32
"""Browsers that may be let in at a time; with one more, the first is forgotten."""

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("cache-control", "no-store"),
)
_RAW_HEADERS: Final = [(name.encode(), value.encode()) for name, value in HEADERS]

_NOT_HERE = "This server is called by the address that `observatory web` printed, and by no other.\n"
_NOT_YOURS = "Open the page by the link that `observatory web` printed; each link works once.\n"
_FOREIGN = "Another site's page may not ask here.\n"


class Gate:
    """An ASGI application in front of another one. `on_entry` is called when a link was used: it's spent then."""

    def __init__(self, app: ASGIApp, port: int, on_entry: Callable[[], None]) -> None:
        self._app = app
        # A browser leaves out the port that it would take anyway.
        self._hosts = {f"127.0.0.1:{port}", *(["127.0.0.1"] if port == 80 else [])}
        self._cookie = COOKIE.format(port=port)
        self._on_entry = on_entry
        self._token = secrets.token_urlsafe(32)
        self._browsers: list[str] = []
        self._key = secrets.token_urlsafe(32)
        self._port = port

    def link(self) -> str:
        """The URL that lets one browser in, once."""
        return f"http://127.0.0.1:{self._port}/?token={self._token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand over to the application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        answer = self._judge(scope)
        more = _RAW_HEADERS if answer is None else [*_RAW_HEADERS, (b"connection", b"close")]

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        await (answer or self._app)(scope, receive, guarded)

    def _judge(self, scope: Scope) -> Response | None:
        """What to answer in place of the application; `None` lets the request through."""
        fields: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            fields.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        host = fields.get("host", [])
        if len(host) != 1 or host[0] not in self._hosts:
            return PlainTextResponse(_NOT_HERE, HTTPStatus.MISDIRECTED_REQUEST)
        if any(origin != f"http://{host[0]}" for origin in fields.get("origin", ())):
            return PlainTextResponse(_FOREIGN, HTTPStatus.FORBIDDEN)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        token = query.get("token", [])
        if scope["path"] == "/" and len(token) == 1 and scope["method"] == "GET":
            return self._enter(token[0])
        # A link in another page may lead here, but only with a token, of which that page knows nothing.
        if not set(fields.get("sec-fetch-site", ())) <= {"same-origin", "none"}:
            return PlainTextResponse(_FOREIGN, HTTPStatus.FORBIDDEN)
        if not self._knows(fields.get("cookie", [])):
            return PlainTextResponse(_NOT_YOURS, HTTPStatus.FORBIDDEN)
        if scope["path"].startswith("/api/"):
            keys = [*query.get("key", ()), *fields.get("x-observatory-key", ())]
            if len(keys) != 1 or not _same(keys[0], self._key):
                return PlainTextResponse(_NOT_YOURS, HTTPStatus.FORBIDDEN)
            if (known := scope.get("state", {}).get(KNOWN)) is not None:
                known()
        return None

    def _enter(self, token: str) -> Response:
        if not _same(token, self._token):
            return PlainTextResponse(_NOT_YOURS, HTTPStatus.FORBIDDEN)
        self._token = secrets.token_urlsafe(32)
        browser = secrets.token_urlsafe(32)
        self._browsers = [*self._browsers[1 - BROWSERS :], browser]
        self._on_entry()
        # Not a redirect: where the link was followed from another site, a browser would not send the new cookie along.
        answer = HTMLResponse(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Observatory</title>'
            '<link rel="icon" href="/page/icon.svg">'
            f'<meta http-equiv="refresh" content="0;url=/#key={self._key}">'
        )
        answer.set_cookie(self._cookie, browser, httponly=True, samesite="strict", path="/")
        return answer

    def _knows(self, cookies: list[str]) -> bool:
        brought = islice(_values(cookies, self._cookie), COOKIES)
        return any(_same(value, browser) for value in brought for browser in self._browsers)


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode())


def _values(fields: Iterable[str], name: str) -> Iterator[str]:
    """The values of all cookies of a name, as RFC 6265 writes them (4.2.1), among whatever else there is."""
    for field in fields:
        for pair in field.split(";"):
            found, is_, value = pair.partition("=")
            if is_ and found.strip(" \t") == name:
                yield value.strip(' \t"')
