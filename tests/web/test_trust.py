"""The picture of trust, for events that say more than this machine's server does: over a source that the test has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.web.over import Lines, page_over

if TYPE_CHECKING:
    from tests.web.conftest import Page


def shown(page: Page, **fields: Any) -> dict[str, str]:
    """The parts of the opened event, the only one there is."""
    head = {"_id": 7, "_ts": "2026-01-01T00:00:00Z", "_event": "PreToolUse"}
    line = json.dumps({**head, **fields}, separators=(",", ":"))
    with page_over(Lines("the fleet", 7, [line])) as link:
        page.open(link)
        page.wait_for_rows(1)
        page.open_first()
        return {part: page.text(f".drawer .{part}") for part in ("told", "proved", "claimed")}


def test_the_chain_of_processes_is_drawn_from_the_user_to_the_server(page: Page) -> None:
    process = {
        "pid": 31,
        "comm": "curl",
        "ancestors": [{"pid": 30, "comm": "sh"}, {"pid": 29, "comm": "claude"}],
    }
    parts = shown(page, _peer_uid=4_000_000, _peer_pid=31, _peer_gid=5, _peer_process=process)
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
    parts = shown(page, _peer_uid=None, _peer_pid=None, _peer_gid=None)
    assert "unknown user" in parts["proved"]
    assert "pid unknown" in parts["proved"]
    assert "uid 0" not in parts["proved"]
    assert "65534" not in parts["proved"]


def test_an_event_of_another_machine_says_who_brought_it_and_has_no_names_of_this_one(page: Page) -> None:
    parts = shown(page, _host="web1", _peer_uid=0, _peer_pid=3, _peer_gid=0, _peer_groups=[0, 27])
    assert "Brought by web1" in parts["told"]
    assert "NATS" in parts["told"]
    assert "uid 0" in parts["proved"]
    assert "root" not in parts["proved"]
    assert "sudo" not in parts["proved"]
