"""The picture of trust, for events that say more than this machine's server does: over a source that the test has."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from observatory.feed.feed import Feed
from observatory.web.app import application
from observatory.web.gate import Gate
from observatory.web.port import listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Page


class One:
    """A source with one event."""

    name = "the fleet"

    def __init__(self, **fields: Any) -> None:
        head = {"_id": 7, "_ts": "2026-01-01T00:00:00Z", "_event": "PreToolUse"}
        self.line = json.dumps({**head, **fields}, separators=(",", ":")).encode()
        self.over = threading.Event()

    def newest(self) -> int:
        return 7

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        if after is None:
            yield 7, self.line
        self.over.wait()

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        yield 7, self.line


def shown(page: Page, source: One) -> dict[str, str]:
    """The parts of the opened event."""
    sock = listen(0)
    feed = Feed(source)
    gate = Gate(application(feed), sock.getsockname()[1], lambda: None)
    server = uvicorn.Server(uvicorn.Config(gate, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    link = gate.link()
    feed.start()
    thread.start()
    try:
        page.open(link)
        page.wait_for_rows(1)
        page.open_first()
        return {part: page.text(f".drawer .{part}") for part in ("told", "proved", "claimed")}
    finally:
        feed.stop()
        source.over.set()
        server.should_exit = True
        thread.join()
        sock.close()


def test_the_chain_of_processes_is_drawn_from_the_user_to_the_server(page: Page) -> None:
    process = {
        "pid": 31,
        "comm": "curl",
        "ancestors": [{"pid": 30, "comm": "sh"}, {"pid": 29, "comm": "claude"}],
    }
    parts = shown(page, One(_peer_uid=4_000_000, _peer_pid=31, _peer_gid=5, _peer_process=process))
    chain = page.run("return [...document.querySelectorAll('.chain .node')].map((node) => node.innerText.split('\\n'))")
    assert chain == [
        ["4000000", "uid 4000000"],
        ["claude", "pid 29"],
        ["sh", "pid 30"],
        ["curl", "pid 31"],
        ["server", "Unix socket"],
    ]
    assert "the names are those that they gave themselves" in parts["proved"]


def test_what_the_kernel_could_not_translate_is_unknown_and_nobody(page: Page) -> None:
    parts = shown(page, One(_peer_uid=None, _peer_pid=None, _peer_gid=None))
    assert "unknown user" in parts["proved"]
    assert "pid unknown" in parts["proved"]
    assert "uid 0" not in parts["proved"]
    assert "65534" not in parts["proved"]


def test_an_event_of_another_machine_says_who_brought_it_and_has_no_names_of_this_one(page: Page) -> None:
    parts = shown(page, One(_host="web1", _peer_uid=0, _peer_pid=3, _peer_gid=0, _peer_groups=[0, 27]))
    assert "Brought by web1" in parts["told"]
    assert "NATS" in parts["told"]
    assert "uid 0" in parts["proved"]
    assert "root" not in parts["proved"]
    assert "sudo" not in parts["proved"]
