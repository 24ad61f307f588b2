"""An asyncio protocol with httptools: reads an event, takes its JSON apart, answers, keeps nothing."""

from __future__ import annotations

import asyncio
import sys

import httptools
import msgspec

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Hook(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.body = b""
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of it."""
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Some bytes of the body."""
        self.body += data

    def on_message_complete(self) -> None:
        """The event is complete."""
        msgspec.json.decode(self.body)
        self.transport.write(ANSWER)
        self.transport.close()


async def main() -> None:
    """Serve for ever."""
    server = await asyncio.get_running_loop().create_unix_server(Hook, sys.argv[1], backlog=4096)
    print("listening", file=sys.stderr, flush=True)
    await server.serve_forever()


asyncio.run(main())
