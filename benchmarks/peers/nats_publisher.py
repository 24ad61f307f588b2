"""A publisher that does nothing but publish: so many messages of a size, by the client library's own means."""

from __future__ import annotations

import asyncio
import os
import sys

import nats


async def publish(url: str, subject: str, count: int, size: int) -> None:
    """Publish, with as many unanswered as a forwarder has."""
    nc = await nats.connect(url.split(","))
    jetstream = nc.jetstream(publish_async_max_pending=512)
    payload = os.urandom(size // 2).hex().encode()
    futures = [await jetstream.publish_async(subject, payload) for _ in range(count)]
    for future in futures:
        await future
    await nc.close()


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
