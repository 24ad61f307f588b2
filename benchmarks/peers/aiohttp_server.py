"""aiohttp on a Unix socket: reads an event, takes its JSON apart, answers, keeps nothing."""

from __future__ import annotations

import asyncio
import sys

import msgspec
from aiohttp import web  # type: ignore[import-not-found]


async def hook(request: web.Request) -> web.Response:
    """One event."""
    msgspec.json.decode(await request.read())
    return web.Response()


async def main() -> None:
    """Serve for ever."""
    application = web.Application()
    application.router.add_post("/hook", hook)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, sys.argv[1], backlog=4096).start()
    print("listening", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
