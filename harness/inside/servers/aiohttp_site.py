"""aiohttp's application on a `UnixSite`, by its own runner: `python3 aiohttp_site.py PATH`."""

from __future__ import annotations

import sys

from aiohttp import web  # type: ignore[import-not-found]


async def hello(request: web.Request) -> web.Response:
    """Say hello."""
    return web.Response(text="hello\n")


if __name__ == "__main__":
    application = web.Application()
    application.router.add_get("/", hello)
    web.run_app(application, path=sys.argv[1])
