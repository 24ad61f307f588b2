"""A connection that is given up leaves nothing behind, or there is none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from nats.aio import client
from nats.aio.transport import TcpTransport

from observatory.errors import ObservatoryError
from observatory.forward.nats_connection import Access, NatsConnection, NatsConnectionError, connect, drop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg

INFO = b'INFO {"server_id":"x","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}\r\n'
WRITTEN = 64_000_000
"""Bytes: far more than two sockets hold."""


class Nats:
    """As much of a NATS server as a connection takes, and then it hears how the connection ends."""

    def __init__(self) -> None:
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.listens = asyncio.Event()
        self.listens.set()
        self.received = 0
        """Bytes after the handshake."""
        self.handshake = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        try:
            while line := await reader.readline():
                self.handshake += line
                if line == b"PING\r\n":
                    writer.write(b"PONG\r\n")
                    break
            await self.listens.wait()
            while data := await reader.read(65536):
                self.received += len(data)
            self.end.set_result("closed")
        except ConnectionResetError:
            self.end.set_result("reset")
        finally:
            writer.close()


def beside_a_server(what: Callable[[Access, Nats], Awaitable[Any]]) -> Any:
    """What comes of it beside such a server."""

    async def run() -> Any:
        nats = Nats()
        async with await asyncio.start_server(nats.serve, "127.0.0.1", 0) as server:
            url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return await what(Access((url,), "web1"), nats)

    return asyncio.run(run())


def test_what_a_dropped_connection_has_written_and_the_kernel_not_delivered_is_thrown_away() -> None:
    # A reset, not an end: before that one, the kernel would deliver all that it has.
    async def dropped(access: Access, nats: Nats) -> str:
        await drop(await connect(access, "_INBOX"))
        return await asyncio.wait_for(nats.end, 5)

    assert beside_a_server(dropped) == "reset"


def test_what_a_dropped_connection_has_not_even_handed_to_the_kernel_is_thrown_away() -> None:
    async def dropped(access: Access, nats: Nats) -> tuple[str, int]:
        nats.listens.clear()
        nc = await connect(access, "_INBOX")
        assert nc._transport is not None
        nc._transport.write(bytes(WRITTEN))
        await drop(nc)
        nats.listens.set()
        return await asyncio.wait_for(nats.end, 5), nats.received

    end, received = beside_a_server(dropped)
    assert end == "reset"
    assert received < WRITTEN / 2


def test_a_connection_that_is_dropped_while_it_has_something_to_write_leaves_no_task_behind() -> None:
    async def ignore(_: Msg) -> None:
        """What comes is not looked at."""

    async def left(access: Access, nats: Nats) -> list[str]:
        before = asyncio.all_tasks()
        nats.listens.clear()
        nc = await connect(access, "_INBOX")
        await nc.subscribe("_INBOX.>", cb=ignore)
        assert nc._transport is not None
        nc._transport.write(bytes(WRITTEN))
        for _ in range(2):  # the first is written behind that, and until it is gone the second waits
            await nc.publish("observatory.web1", b"something")
            await asyncio.sleep(0.01)
        assert nc.pending_data_size > 0
        await drop(nc)
        nats.listens.set()
        await asyncio.wait_for(nats.end, 5)
        await asyncio.sleep(0)
        return [str(task) for task in asyncio.all_tasks() - before]

    assert beside_a_server(left) == []


@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("ca", [True, False])
def test_nothing_is_said_to_a_nats_that_offers_no_encryption_where_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, guarded: bool, ca: bool
) -> None:
    if not guarded:  # then the attack bites
        monkeypatch.setattr(NatsConnection, "check_encryption", lambda _self: None)
    (tmp_path / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())

    async def refused(access: Access, nats: Nats) -> bytes:
        url = access.servers[0] if ca else access.servers[0].replace("nats://", "tls://")
        private = Access((url,), "web1", ca=str(tmp_path / "ca.pem") if ca else None)
        if guarded:
            with pytest.raises(NatsConnectionError, match="the connection is not encrypted"):
                await connect(private, "_INBOX")
        else:
            await drop(await connect(private, "_INBOX"))
        await asyncio.wait_for(nats.end, 5)
        return nats.handshake

    assert beside_a_server(refused).startswith(b"CONNECT ") is not guarded


def test_a_nats_py_that_says_who_it_is_in_another_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(access: Access, nats: Nats) -> bytes:
        with pytest.raises(ObservatoryError, match="says who one is in another place") as caught:
            await connect(access, "_INBOX")
        assert not isinstance(caught.value, NatsConnectionError), "a forwarder would try again for ever"
        return nats.handshake

    monkeypatch.delattr(client.Client, "_connect_command")
    assert beside_a_server(refused) == b""


class Hidden:
    """A transport that does all of nats-py's own, and whose writer has another name, as it may have one day."""

    def __init__(self) -> None:
        self.inner: Any = TcpTransport()  # type: ignore[no-untyped-call]  # nats-py has no annotation there

    def __getattr__(self, name: str) -> Any:
        if name == "_io_writer":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __bool__(self) -> bool:
        return bool(self.inner)


def test_a_nats_py_that_hides_what_it_writes_to_is_refused_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TcpTransport", Hidden)

    async def refused(access: Access, nats: Nats) -> str:
        with pytest.raises(ObservatoryError) as caught:
            await connect(access, "_INBOX")
        assert not isinstance(caught.value, NatsConnectionError), "a forwarder would try again for ever"
        await asyncio.wait_for(nats.end, 5)
        return str(caught.value)

    assert "does not show what it writes to" in beside_a_server(refused)
