"""A connection to NATS with TLS that was lost says so, in whatever state Python has left it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from observatory.forward.nats_connection import Access, NatsConnectionError, connect, drop
from tests.fleet.proxy import proxy

if TYPE_CHECKING:
    from tests.fleet.bus import Bus
    from tests.fleet.proxy import Proxy


async def lose(bus: Bus, between: Proxy) -> str:
    """Have whoever sits in between cut a connection, and ask it then whether it is private."""
    nc = await connect(Access((f"tls://localhost:{between.port}",), "admin", bus.admin(), bus.ca), "_INBOX.admin")
    between.cut()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.001)  # until nats-py has closed it, which nothing tells
    with pytest.raises(NatsConnectionError) as caught:
        nc.check_encryption()
    await drop(nc)
    return str(caught.value)


def test_a_lost_connection_with_tls_says_that_it_is_lost_when_it_is_asked_whether_it_is_private(bus: Bus) -> None:
    """Python itself raises AttributeError, once both ends have closed it."""
    with proxy(bus.port, tls=True) as between:
        assert asyncio.run(lose(bus, between)) == "the connection was lost"
