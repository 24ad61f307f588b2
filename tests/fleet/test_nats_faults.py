"""What a forwarder does when something is wrong between it and NATS, step by step; and what it says of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import nats
import pytest

from tests.fleet.bus import at, events, forwarded, plain_server
from tests.fleet.command import environment, run
from tests.fleet.proxy import (
    LIES,
    CutAtQuestion,
    Fault,
    Lie,
    SwallowAcknowledgements,
    Twice,
    proxy,
)
from tests.helpers.deadline import until
from tests.helpers.observatory_command import command
from tests.helpers.observatory_server import ObservatoryServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fleet.bus import Bus
    from tests.fleet.proxy import Proxy

CLOCK = "import time\nreal = time.time_ns\ntime.time_ns = lambda: real() - 86_400_000_000_000\n"
"""A clock that was set back by a day."""


class Plain:
    """A NATS without keys and TLS, with its stream, behind a proxy."""

    def __init__(self, folder: Path, port: int, between: Proxy) -> None:
        self.folder = folder
        self.port = port
        self.between = between
        self.url = f"nats://127.0.0.1:{between.port}"

    def forwarding(self, server: ObservatoryServer, *arguments: str) -> Forwarding:
        return Forwarding(self.folder, "--socket", server.path, "--to", self.url, "--host", "web1", *arguments)

    def forwarded(self, server: ObservatoryServer, *arguments: str) -> str:
        to = ("--to", self.url, "--host", "web1")
        return forwarded("--socket", server.path, *to, *arguments, state=self.folder)

    def numbers(self) -> list[int]:
        """The field `n` of all events that there are."""
        done = run("events", "--from", f"nats://127.0.0.1:{self.port}", "--json", state=self.folder)
        assert done.returncode == 0, done.stderr
        return [int(found) for found in re.findall(r'"n":(\d+)', done.stdout)]

    def forget_message_ids(self) -> None:
        """From now on JetStream drops no repeats by itself."""

        async def change() -> None:
            nc = await nats.connect(f"nats://127.0.0.1:{self.port}")
            config = (await nc.jetstream().stream_info("OBSERVATORY")).config
            config.duplicate_window = 0.1
            await nc.jetstream().update_stream(config)
            await nc.close()

        asyncio.run(change())


class Forwarding:
    """A forwarder that runs, for as long as it's entered."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._command = command("forward", *arguments)
        self.took = 0.0
        """Seconds from the signal to the end."""

    def __enter__(self) -> Forwarding:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(self._command, stderr=log, env=environment(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0
        self.took = time.monotonic() - begun

    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, words: str, count: int = 1) -> None:
        until(lambda: self.said().count(words) >= count, lambda: f"{words!r} is said:\n{self.said()}", 60, 0.05)


@pytest.fixture
def plain(folder: Path, nats_server: str) -> Iterator[Plain]:
    with plain_server(nats_server, folder / "js") as port:
        done = run("forward", "--to", f"nats://127.0.0.1:{port}", "--make-stream", "1", state=folder)
        assert done.returncode == 0, done.stderr
        with proxy(port) as between:
            yield Plain(folder, port, between)


def say(server: ObservatoryServer, numbers: range) -> None:
    kinds = ("Stop", "PreToolUse", "Notification")
    server.hooks().say_all((kinds[n % 3], {"session_id": "s", "n": n}) for n in numbers)


def test_what_could_not_be_looked_up_after_a_lost_cursor_is_looked_up_before_it_is_sent(
    server: ObservatoryServer, plain: Plain
) -> None:
    say(server, range(50))
    plain.forwarded(server)
    plain.forget_message_ids()
    plain.between.fault = CutAtQuestion
    with plain.forwarding(server, "--cursor", str(plain.folder / "new")) as forwarding:
        forwarding.wait_for("trying again")
        until(lambda: plain.between.connections > 3, forwarding.said, 60, 0.05)
        plain.between.fault = Fault
        forwarding.wait_for("the stream has 50 events already")
        say(server, range(50, 55))
        until(lambda: len(plain.numbers()) >= 55, forwarding.said, 60, 0.2)
    assert plain.numbers() == list(range(55))


def test_what_arrived_unheard_is_not_sent_again_when_jetstream_has_forgotten_the_message_ids(
    server: ObservatoryServer, plain: Plain
) -> None:
    plain.forget_message_ids()
    say(server, range(300))
    plain.between.fault = lambda: SwallowAcknowledgements(100)
    with plain.forwarding(server) as forwarding:
        forwarding.wait_for("lost the connection")
        plain.between.refusing = True
        plain.between.cut()
        time.sleep(0.3)  # longer than the window
        plain.between.fault = Fault
        plain.between.refusing = False
        forwarding.wait_for("connected again")
        until(lambda: len(plain.numbers()) >= 300, forwarding.said, 60, 0.2)
        forwarding.wait_for("forwarded 300 events; lag 0")
    assert plain.numbers() == list(range(300))


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_no_acknowledgement_is_taken_for_none(
    server: ObservatoryServer, plain: Plain, lie: bytes | None
) -> None:
    say(server, range(30))
    plain.between.fault = lambda: Lie(10, lie)
    with plain.forwarding(server) as forwarding:
        forwarding.wait_for("trying again")
        plain.between.fault = Fault
        forwarding.wait_for("connected again")
        until(lambda: len(plain.numbers()) >= 30, forwarding.said, 60, 0.2)
    assert plain.numbers() == list(range(30))


def test_what_arrives_twice_is_there_once(server: ObservatoryServer, plain: Plain) -> None:
    plain.between.fault = Twice
    say(server, range(300))
    plain.forwarded(server)
    assert plain.numbers() == list(range(300))


def test_a_new_database_is_told_from_the_one_before_though_its_clock_was_set_back(
    server: ObservatoryServer, plain: Plain, folder: Path
) -> None:
    say(server, range(20))
    with plain.forwarding(server) as forwarding:
        until(lambda: len(plain.numbers()) >= 20, forwarding.said, 60, 0.2)
        server.end()
        server.delete_database()
        (folder / "sitecustomize.py").write_text(CLOCK)
        clock = {"PYTHONPATH": str(folder)}
        fresh = ObservatoryServer(
            folder, "--socket", server.path, name="fresh", stdout=subprocess.DEVNULL, variables=clock
        )
        fresh.path = server.path
        fresh.start()
        try:
            say(fresh, range(20, 40))
            assert fresh.events()[0]["_ts"] < time.strftime("%Y-%m-%d")
            forwarding.wait_for("has another database than before: forwarding all of it")
            until(lambda: len(plain.numbers()) >= 40, forwarding.said, 60, 0.2)
            forwarding.wait_for("forwarded 40 events; lag 0")
        finally:
            forwarding.process.send_signal(signal.SIGTERM)
            forwarding.process.wait(30)
            plain.forget_message_ids()
            said = plain.forwarded(fresh, "--cursor", str(folder / "lost"))
            fresh.end()
    assert "the stream has 20 events already" in said
    assert plain.numbers() == list(range(40))


def test_two_machines_that_forward_as_one_host_lose_nothing_and_are_told(plain: Plain, folder: Path) -> None:
    servers = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        servers.append(ObservatoryServer(folder / name, stdout=subprocess.DEVNULL))
        servers[-1].start()
    try:
        say(servers[0], range(20))
        say(servers[1], range(20, 40))
        with plain.forwarding(servers[0], "--cursor", str(folder / "c1")) as first:
            until(lambda: len(plain.numbers()) >= 20, first.said, 60, 0.2)
            said = plain.forwarded(servers[1], "--cursor", str(folder / "c2"))
            assert "forwarded 20 events; lag 0" in said
            assert "as web1 there are events of another database too" in said
            first.wait_for("as web1 there are events of another database too")
        assert sorted(plain.numbers()) == list(range(40))
        plain.forget_message_ids()
        plain.forwarded(servers[0], "--cursor", str(folder / "lost"))
        assert sorted(plain.numbers()) == list(range(40))
    finally:
        for each in servers:
            each.end()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process a hostname of its own")
def test_a_host_is_called_by_its_full_name(server: ObservatoryServer, plain: Plain) -> None:
    arguments = command("forward", "--socket", server.path, "--to", plain.url, "--once")
    for name in ("web.paris", "web.london"):
        server.send({"n": 1})
        named = ["unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh", *arguments]
        subprocess.run(named, check=True, env=environment(plain.folder), stderr=subprocess.DEVNULL, timeout=60)
    done = run("events", "--from", f"nats://127.0.0.1:{plain.port}", "--json", state=plain.folder)
    assert re.findall(r'"_host":"([^"]*)"', done.stdout) == ["web.paris", "web.london", "web.london"]


def test_the_lag_is_told_while_nats_is_away_and_each_trouble_once(server: ObservatoryServer, plain: Plain) -> None:
    say(server, range(10))
    with plain.forwarding(server) as forwarding:
        forwarding.wait_for("forwarded 10 events; lag 0")
        plain.between.refusing = True
        plain.between.cut()
        say(server, range(10, 1010))
        forwarding.wait_for("forwarded 10 events; lag 1000 events, ", 2)
        tries = plain.between.connections
        assert tries > 3
        assert "connected again" not in forwarding.said()
        plain.between.refusing = False
        forwarding.wait_for("forwarded 1010 events; lag 0")
        plain.between.cut()
        forwarding.wait_for("connected again", 2)
    said = forwarding.said()
    assert said.count("connected again") == 2
    assert said.count("trying again") <= 3
    assert plain.numbers() == list(range(1010))


def test_no_reconnection_is_said_while_the_stream_takes_nothing(server: ObservatoryServer, plain: Plain) -> None:
    server.send({"n": 0})
    plain.between.fault = lambda: Lie(0, None)
    with plain.forwarding(server) as forwarding:
        until(lambda: plain.between.connections > 3, forwarding.said, 60, 0.05)
        assert "connected again" not in forwarding.said()
        assert forwarding.said().count("no stream takes events") == 1
        plain.between.fault = Fault
        forwarding.wait_for("connected again")
    assert plain.numbers() == [0]


@pytest.mark.parametrize("away", [True, False])
def test_a_forwarder_ends_soon_after_it_is_told_to(server: ObservatoryServer, plain: Plain, away: bool) -> None:
    say(server, range(100))
    plain.between.refusing = away
    plain.between.fault = lambda: Lie(0, b"no answer of JetStream's")
    with plain.forwarding(server) as forwarding:
        until(lambda: plain.between.connections > 1, forwarding.said, 60, 0.05)
        before = plain.between.connections
    assert forwarding.took < 5
    assert plain.between.connections - before < 3
    assert len(forwarding.said().splitlines()) < 6
    assert "forwarded 0 events; lag 100 events, " in forwarding.said().splitlines()[-1]


@pytest.mark.parametrize(
    ("publish", "subscribe", "words"),
    [
        (["observatory.other.>"], ["_INBOX.web1.>"], "publish to $js.api.direct.get.observatory.observatory.web1"),
        (["$JS.API.DIRECT.GET.OBSERVATORY.>"], ["_INBOX.web1.>"], "publish to observatory.web1"),
        ([">"], ["_INBOX.other.>"], "subscribe to _inbox.web1"),
    ],
)
def test_what_a_host_is_not_permitted_to_do_is_said(
    server: ObservatoryServer, bus: Bus, publish: list[str], subscribe: list[str], words: str
) -> None:
    server.send()
    credentials = bus.operator.credentials("web1", publish, subscribe)
    with Forwarding(bus.folder, *at(server), "--to", bus.url, "--host", "web1", *bus.access(credentials)) as forwarding:
        forwarding.wait_for("NATS does not permit this account to")
        assert words in forwarding.said().lower()
    assert forwarding.said().count("trying again") == 1


def test_what_a_reader_or_a_maker_of_streams_is_not_permitted_to_do_is_said(bus: Bus) -> None:
    nobody = bus.access(bus.operator.credentials("nobody", ["x"], ["_INBOX.>"]))
    for arguments in (
        ("events", "--from", bus.url, *nobody),
        ("forward", "--to", bus.url, *nobody, "--make-stream", "1"),
    ):
        done = run(*arguments, state=bus.folder)
        assert done.returncode == 69
        assert "NATS does not permit this account to publish to $js.api." in done.stderr.lower().replace(
            "nats does", "NATS does"
        )
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish\n",
        b"\xff\x00\xfe",
        b"SUAOEMGFVFYBJ5YCEIUFSDNQ\n",
        b"-----BEGIN NATS USER JWT-----\n",
        b"-----BEGIN NATS USER JWT-----\neyJ0.e.x\n------END NATS USER JWT------\n",
        b"-----BEGIN NATS USER JWT-----\ne.x\n-----BEGIN USER NKEY SEED-----\nSUAX\n",
    ],
)
@pytest.mark.parametrize("reads", [False, True])
def test_credentials_of_rubbish_are_told_in_a_sentence(
    server: ObservatoryServer, folder: Path, content: bytes, reads: bool
) -> None:
    path = folder / "creds"
    path.write_bytes(content)
    path.chmod(0o600)
    to = ("events", "--from") if reads else ("forward", *at(server), "--to")
    done = run(*to, "nats://127.0.0.1:1", "--creds", str(path), state=folder)
    assert done.returncode == 1
    assert f"{path} has no NATS credentials in it" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o600])
def test_credentials_that_others_may_read_are_told(server: ObservatoryServer, bus: Bus, mode: int) -> None:
    host, reader = bus.host("web1"), bus.reader()
    for arguments in (host, reader):
        os.chmod(arguments[arguments.index("--creds") + 1], mode)
    warned = forwarded(*at(server), *host, state=bus.folder)
    done = run("events", *reader, state=bus.folder)
    assert done.returncode == 0
    for said in (warned, done.stderr):
        assert ("others may read or write the credentials" in said) is (mode != 0o600)
        assert (f"mode {mode:04o}" in said) is (mode != 0o600)


def test_a_note_of_a_forwarder_is_no_event(server: ObservatoryServer, bus: Bus) -> None:
    server.send({"n": 1})
    forwarded(*at(server), *bus.host("web1"), state=bus.folder)
    assert [event["_id"] for event in events(bus)] == [1]
    assert [event["_id"] for event in events(bus, "--limit", "5")] == [1]
