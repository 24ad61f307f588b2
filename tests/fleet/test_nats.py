"""Forwarding to one NATS server: who may publish what, and that nothing is lost, doubled or taken on trust."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import nats
import nats.errors
import pytest

from tests.fleet.bus import HOST_MAY, at, events, forwarded
from tests.fleet.command import environment, run
from tests.helpers.deadline import until
from tests.helpers.observatory_command import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fleet.bus import Bus
    from tests.helpers.observatory_server import ObservatoryServer


def test_events_arrive_with_the_host_that_nats_authenticated(server: ObservatoryServer, bus: Bus) -> None:
    server.hooks().say("Stop", session_id="s", _host="forged", host="claimed")
    server.hooks().say("Pre.Tool > Use".replace(" ", "%20"), session_id="s")
    said = forwarded(*at(server), *bus.host("web1"), state=bus.folder)
    assert "forwarded 2 events; lag 0" in said
    first, second = events(bus)
    assert list(first)[:5] == ["_id", "_ts", "_event", "_host", "_peer_pid"]
    assert first["_host"] == "web1"
    assert first["host"] == "claimed"
    assert second["_event"] == "Pre.Tool > Use"


def test_a_host_cannot_publish_or_read_under_another_name(server: ObservatoryServer, bus: Bus) -> None:
    server.hooks().say("Stop", session_id="mine")
    forwarded(*at(server), *bus.host("web1"), state=bus.folder)
    publish, subscribe = ([part.format(host="web2") for part in parts] for parts in HOST_MAY)
    mallory = bus.operator.credentials("web2", publish, subscribe)

    async def attack() -> list[str]:
        import ssl

        refused: list[str] = []
        all_said = asyncio.Event()

        async def note(error: Exception) -> None:
            refused.append(str(error).lower())
            if len(refused) == 5:
                all_said.set()

        nc = await nats.connect(
            bus.url,
            user_credentials=mallory,
            error_cb=note,
            inbox_prefix="_INBOX.web2",
            tls=ssl.create_default_context(cafile=bus.ca),
        )
        await nc.publish("observatory.web1.0.Stop", b'{"_id":2,"_ts":"x","_event":"Stop"}')
        for question in (
            "$JS.API.DIRECT.GET.OBSERVATORY.observatory.web1.0.Stop",
            "$JS.API.STREAM.MSG.GET.OBSERVATORY",
        ):
            with pytest.raises(nats.errors.TimeoutError):
                await nc.request(question, b'{"seq":1}', timeout=0.5)
        await nc.subscribe("observatory.>")
        await nc.subscribe("_INBOX.>")
        await asyncio.wait_for(all_said.wait(), 30)
        await nc.close()
        return refused

    refused = asyncio.run(attack())
    assert len([said for said in refused if "permissions violation" in said]) == 5
    assert [event["_host"] for event in events(bus)] == ["web1"]


def test_a_host_that_writes_another_hosts_name_into_its_events_is_still_itself(bus: Bus) -> None:
    lie = b'{"_id":1,"_ts":"2026-01-01T00:00:00Z","_event":"Stop","_host":"web1","_peer_uid":0,"_host":"web1"}'

    async def publish() -> None:
        import ssl

        publish_to, subscribe = ([part.format(host="web2") for part in parts] for parts in HOST_MAY)
        nc = await nats.connect(
            bus.url,
            user_credentials=bus.operator.credentials("web2", publish_to, subscribe),
            inbox_prefix="_INBOX.web2",
            tls=ssl.create_default_context(cafile=bus.ca),
        )
        await nc.jetstream().publish("observatory.web2.0.Stop", lie)
        await nc.jetstream().publish("observatory.web2.0.Stop", b"not json")
        await nc.close()

    asyncio.run(publish())
    first, second = events(bus)
    assert first["_host"] == second["_host"] == "web2"
    assert second["_raw"] == "not json"


def test_a_lost_cursor_doubles_nothing_even_when_jetstream_has_forgotten_the_message_ids(
    server: ObservatoryServer, bus: Bus
) -> None:
    async def forget_at_once() -> None:
        import ssl

        nc = await nats.connect(bus.url, user_credentials=bus.admin(), tls=ssl.create_default_context(cafile=bus.ca))
        config = (await nc.jetstream().stream_info("OBSERVATORY")).config
        config.duplicate_window = 0.1
        await nc.jetstream().update_stream(config)
        await nc.close()

    asyncio.run(forget_at_once())
    hooks = server.hooks()
    hooks.say_all((("Stop", "PreToolUse", "Notification")[n % 3], {"session_id": "s", "n": n}) for n in range(1500))
    host = bus.host("web1")
    forwarded(*at(server), *host, state=bus.folder)
    hooks.say_all(("Stop", {"session_id": "s", "n": n}) for n in range(1500, 1510))
    time.sleep(0.2)  # the window, in which JetStream would drop repeats by itself
    said = forwarded(*at(server), *host, "--cursor", str(bus.folder / "new"), state=bus.folder)
    assert "forwarded 10 events" in said
    assert [event["n"] for event in events(bus)] == list(range(1510))


def test_a_forwarder_outlives_both_ends(server: ObservatoryServer, bus: Bus) -> None:
    server.hooks().say("Stop", session_id="s", n=1)
    with (bus.folder / "log").open("w") as log:
        process = subprocess.Popen(
            command("forward", *at(server), *bus.host("web1")), stderr=log, env=environment(bus.folder)
        )
    try:
        wait_for(bus, 1)
        bus.end()
        server.hooks().say("Stop", session_id="s", n=2)
        wait_for_words(bus, "trying again")
        bus.start()
        wait_for(bus, 2)
        server.end(signal.SIGKILL)
        wait_for_words(bus, "closed the connection")
        server.start()
        server.hooks().say("Stop", session_id="s", n=3)
        wait_for(bus, 3)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    said = (bus.folder / "log").read_text()
    assert "connected again" in said
    assert [line for line in said.splitlines() if not line.startswith("observatory forward: ")] == []
    assert [event["n"] for event in events(bus)] == [1, 2, 3]


def wait_for(bus: Bus, count: int) -> None:
    until(lambda: len(events(bus)) >= count, (bus.folder / "log").read_text, 60)


def wait_for_words(bus: Bus, words: str) -> None:
    log = bus.folder / "log"
    until(lambda: words in log.read_text(), lambda: f"{words!r} is said:\n{log.read_text()}", 60, 0.1)


def test_a_new_database_is_forwarded_from_its_beginning(server: ObservatoryServer, bus: Bus) -> None:
    host = bus.host("web1")
    server.hooks().say_all(("Stop", {"session_id": "old"}) for _ in range(3))
    forwarded(*at(server), *host, state=bus.folder)
    server.end()
    server.delete_database()
    server.start()
    server.hooks().say("Stop", session_id="new")
    said = forwarded(*at(server), *host, state=bus.folder)
    assert "has another database than before" in said
    assert [event["session_id"] for event in events(bus)] == ["old", "old", "old", "new"]


def test_an_event_too_long_for_nats_is_sent_as_what_is_known_of_it(server: ObservatoryServer, bus: Bus) -> None:
    server.hooks().say("PreToolUse", session_id="s", tool_name="Write", tool_input={"content": "x" * 100_000})
    server.hooks().say("Stop", session_id="s")
    said = forwarded(*at(server), *bus.host("web1"), state=bus.folder)
    assert "this NATS takes 65536" in said
    first, second = events(bus)
    assert first["_line_bytes"] > 65_536
    assert (first["tool_name"], first["_peer_uid"], "tool_input" in first) == ("Write", second["_peer_uid"], False)


def test_filters_and_the_web_page_read_many_hosts(server: ObservatoryServer, bus: Bus) -> None:
    server.hooks().say("Stop", session_id="a", tool_name="Bash")
    server.hooks().say("PreToolUse", session_id="b", tool_name="Bash")
    for name in ("web1", "web2"):
        forwarded(*at(server), *bus.host(name), state=bus.folder)
    assert [event["_host"] for event in events(bus, "--event", "Stop")] == ["web1", "web2"]
    assert len(events(bus, "--limit", "3")) == 3
    assert [event["_host"] for event in events(bus, "--tool", "Bash", "--limit", "1")] == ["web2"]
    # The first of each host is its forwarder's note.
    assert [event["session_id"] for event in events(bus, "--after", "3", "--limit", "1")] == ["a"]
    refused = run("events", *bus.reader(), "--session", "c", state=bus.folder)
    assert "there is no event, as far as you may see them, of a session" in refused.stderr
    web = subprocess.Popen(
        command("web", *bus.reader()), stdout=subprocess.PIPE, text=True, env=environment(bus.folder)
    )
    assert web.stdout is not None
    link = next(found[0] for line in web.stdout if (found := re.search(r"http://\S+", line)))
    try:
        entered = subprocess.run(["curl", "-si", link], capture_output=True, text=True, check=True).stdout
        cookie = re.search(r"observatory-\d+=[\w-]+", entered)
        key = re.search(r"#key=([\w-]+)", entered)
        assert cookie
        assert key
        rows: list[Any] = []
        url = link.partition("?")[0] + f"api/rows?before=99&key={key[1]}"
        while len(rows) < 4:
            rows = json.loads(
                subprocess.run(["curl", "-s", "-b", cookie[0], url], capture_output=True, check=True).stdout
            )
        assert [row[-2] for row in rows] == ["web1", "web1", "web2", "web2"]
    finally:
        web.send_signal(signal.SIGTERM)
        web.communicate()


def test_two_forwarders_do_not_share_a_cursor(server: ObservatoryServer, bus: Bus) -> None:
    host = bus.host("web1")
    with subprocess.Popen(
        command("forward", *at(server), *host), stderr=subprocess.PIPE, text=True, env=environment(bus.folder)
    ) as first:
        assert first.stderr is not None
        assert "forwarding what comes after event 0" in first.stderr.readline()
        second = run("forward", *at(server), *host, state=bus.folder)
        first.send_signal(signal.SIGTERM)
        first.stderr.read()
    assert second.returncode == 1
    assert re.fullmatch(
        r"observatory forward: another observatory forward works with \S+; choose another --cursor\n", second.stderr
    )


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--to", "http://x"], 2, "is not nats://HOST:PORT"),
        (["--to", "nats://127.0.0.1:1", "--creds", "/nowhere"], 1, "can't read /nowhere: No such file"),
        (["--to", "nats://127.0.0.1:1", "--host", ""], 2, "the host's name must have 1 to 64 characters"),
        (["--to", "nats://127.0.0.1:1", "--retain", "9"], 2, "is not a span such as 90d"),
        (["--to", "nats://127.0.0.1:1", "--retain", "9d"], 2, "goes with --make-stream"),
        (["--to", "nats://127.0.0.1:1", "--make-stream", "3"], 69, "can't connect to nats://127.0.0.1:1"),
        (["--to", "nats://127.0.0.1:1", "--socket", "/nowhere"], 69, "there is no /nowhere"),
        (["--to", "otlp+http://127.0.0.1:1", "--creds", "/dev/null"], 2, "are for NATS"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(folder: Path, arguments: list[str], status: int, words: str) -> None:
    done = run("forward", *arguments, state=folder)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_without_a_stream_is_told_so(folder: Path, bus: Bus) -> None:
    bus.end()
    assert run("events", *bus.reader(), state=folder).returncode == 69
