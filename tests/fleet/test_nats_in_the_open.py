"""Nothing is said to a NATS in the open where encryption was asked for, whoever sits in between."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from observatory.forward import nats_connection
from observatory.forward.nats_connection import Access, NatsConnectionError
from observatory.forward.nats_stream import make_stream
from tests.fleet.bus import at
from tests.fleet.command import environment, run
from tests.fleet.proxy import Strip, proxy
from tests.helpers.observatory_command import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fleet.bus import Bus
    from tests.fleet.proxy import Proxy
    from tests.helpers.observatory_server import ObservatoryServer

REFUSED = "the connection is not encrypted"


@pytest.fixture
def between(bus: Bus) -> Iterator[Proxy]:
    """Somebody in between who says that there is no TLS."""
    with proxy(bus.port) as made:
        made.fault = Strip
        yield made


@pytest.mark.parametrize("scheme", ["tls", "nats"])
@pytest.mark.parametrize("way", ["forward", "--make-stream", "events", "web"])
def test_every_command_refuses_to_speak_in_the_open(
    server: ObservatoryServer, bus: Bus, between: Proxy, way: str, scheme: str
) -> None:
    url = f"{scheme}://localhost:{between.port}"  # with --ca, nats:// is as good as tls://
    if way == "forward":
        with subprocess.Popen(
            command("forward", *at(server), *bus.host("web1", url)),
            stderr=subprocess.PIPE,
            text=True,
            env=environment(bus.folder),
        ) as process:
            assert process.stderr is not None
            process.stderr.readline()
            said = process.stderr.readline()
            process.terminate()
            process.stderr.read()
    else:
        arguments = {
            "--make-stream": ("forward", "--to", url, *bus.access(bus.admin()), "--make-stream", "1"),
            "events": ("events", *bus.reader(url)),
            "web": ("web", *bus.reader(url)),
        }[way]
        done = run(*arguments, state=bus.folder)
        assert done.returncode != 0
        said = done.stderr
    assert REFUSED in said
    assert said.count("\n") == 1
    assert between.connections > 0
    assert not any(between.said), "something was said to whoever sits in between"


def test_without_the_guard_whoever_sits_in_between_gets_the_token(
    bus: Bus, between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_connection.NatsConnection, "check_encryption", lambda _self: None)
    access = Access((f"tls://localhost:{between.port}",), "admin", bus.admin(), bus.ca)

    async def attempt() -> None:
        with pytest.raises(NatsConnectionError):
            await make_stream(access, 1, None)

    import asyncio

    asyncio.run(attempt())
    assert between.said[0].startswith(b"CONNECT {")
    assert b'"jwt"' in between.said[0]


def test_a_certificate_of_somebody_elses_is_refused(server: ObservatoryServer, bus: Bus) -> None:
    done = run("events", "--from", bus.url, "--creds", bus.operator.credentials("reader", [], [">"]), state=bus.folder)
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr
    # The right signer, and another name.
    done = run("events", *bus.reader(f"tls://127.0.0.1:{bus.port}"), state=bus.folder)
    assert done.returncode != 0
    assert "127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
