"""The terminal's screen, over a real server."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from textual.widgets import Input, OptionList, Static

from observatory.client.client import Client
from observatory.feed.feed import Feed
from observatory.feed.source import ServerSource, SourceError
from observatory.watch import app as app_module
from observatory.watch.app import WatchApp
from observatory.watch.details import Details
from observatory.watch.event_list import EventList, _when
from tests.helpers.numbers import BEYOND
from tests.helpers.observatory_command import started
from tests.helpers.time_zone import time_zone
from tests.web import story
from tests.web.conftest import ARTIFACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest
    from textual.pilot import Pilot

    from tests.helpers.observatory_server import ObservatoryServer


def watching(server: ObservatoryServer, look: Any, size: tuple[int, int] = (140, 40), *, utc: bool = False) -> None:
    """Run the screen without a terminal, and look at it."""

    async def run() -> None:
        feed = Feed(ServerSource(Client(server.path)))
        feed.start()
        app = WatchApp(feed, utc)
        try:
            async with app.run_test(size=size) as pilot:
                try:
                    await look(app, pilot)
                finally:
                    app.exit()  # as by "q": while `run_test` takes the screen away, the app would go on to draw
        finally:
            feed.stop()

    asyncio.run(run())


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait for the screen to come to something."""
    for _ in range(300):
        if true():
            return
        await pilot.pause(0.05)
    raise AssertionError("the screen did not come to it")


def lines(app: WatchApp) -> list[str]:
    """The list's lines, as they are drawn."""
    events = app.query_one(EventList)
    return [events.render_line(y).text.rstrip() for y in range(min(events.size.height, len(app.window)))]


def test_sessions_and_events_are_shown_as_they_come(server: ObservatoryServer) -> None:
    story.tell(server.hooks())

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.query_one(OptionList).option_count == 6)
        assert "2 agents wait for you, 2 at work, 1 idle." in str(app.query_one("#head", Static).render())
        words = [str(app.query_one(OptionList).get_option_at_index(n).prompt) for n in range(6)]
        assert "Asks to use Bash" in words[0] + words[1]
        assert "Ended" in words[5]
        assert "SessionEnd" in lines(app)[0]
        server.hooks().say("Stop", session_id="new", message="just now")
        await until(pilot, lambda: "just now" in lines(app)[0])
        ARTIFACTS.mkdir(exist_ok=True)
        app.save_screenshot("watch.svg", str(ARTIFACTS))

    watching(server, look)


def test_a_filter_a_pause_and_an_opened_event(server: ObservatoryServer) -> None:
    hooks = server.hooks()
    hooks.say("PreToolUse", session_id="abc", tool_name="Bash", tool_input={"command": "npm test"}, _peer_uid=4242)
    hooks.say("PreToolUse", session_id="abc", tool_name="Edit", tool_input={"file_path": "/x"})

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 2)
        await pilot.press("slash", *"tool=bash npm", "enter")
        assert len(lines(app)) == 1
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        proved = app.screen.query_one("#proved-text", Static)
        await until(pilot, lambda: f"uid {os.geteuid()}" in str(proved.render()))
        assert "4242" not in str(proved.render()) + str(app.screen.query_one("#claimed-text", Static).render())
        await pilot.press("escape", "escape")
        assert len(lines(app)) == 2
        await pilot.press("p")
        hooks.say("Stop", session_id="abc")
        await until(pilot, lambda: app.window.waiting == 1)
        assert len(lines(app)) == 2
        await pilot.press("p")
        assert "Stop" in lines(app)[0]

    watching(server, look)


def test_an_event_is_opened_whatever_its_name_is(server: ObservatoryServer) -> None:
    server.hooks().say("[/x][bold]b", n=1)
    for number in BEYOND:
        assert server.send(b'{"n":%b}' % number.encode()) == 200

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 1 + len(BEYOND))
        await pilot.press("end", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        title = app.screen.query_one("#details").border_title
        assert title is not None
        assert title.replace("\\", "") == "[/x][bold]b"
        await pilot.press("escape", "home", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        claimed = app.screen.query_one("#claimed-text", Static)
        await until(pilot, lambda: f'"{BEYOND[-1]}"' in str(claimed.render()))

    watching(server, look)


def test_a_chosen_session_filters_and_a_narrow_terminal_shows_events_only(server: ObservatoryServer) -> None:
    story.tell(server.hooks())

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.query_one(OptionList).option_count == 6)
        await pilot.press("s", "home", "enter")
        assert app.query_one("#find", Input).value.startswith("session=0000000")
        assert 0 < len(app.window) < app.window.total
        assert " 0000000" in lines(app)[0]
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        await pilot.resize_terminal(70, 30)
        await pilot.press("escape")
        await until(pilot, lambda: not app.query_one(OptionList).display)
        assert " 0000000" not in lines(app)[0]

    watching(server, look)


def test_an_event_of_another_day_says_its_day() -> None:
    now = datetime.now()
    for before, shown in ((timedelta(hours=1), "%H:%M:%S"), (timedelta(days=1), "%y-%m-%d")):
        then = now - before
        assert _when(int(then.timestamp() * 1000), None) == f"{then:{shown}}"


def test_old_sessions_are_shown_by_a_key(server: ObservatoryServer, monkeypatch: pytest.MonkeyPatch) -> None:
    story.tell(server.hooks())
    monkeypatch.setattr(app_module, "is_old", lambda state, _last, _now: state == "ended")

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        sessions = app.query_one(OptionList)
        await until(pilot, lambda: sessions.option_count == 5)
        assert sessions.border_subtitle == "1 old: o"
        await pilot.press("o")
        assert (sessions.option_count, sessions.border_subtitle) == (6, "")

    watching(server, look)


def test_a_text_is_found_anywhere_in_an_event_and_in_those_that_come(server: ObservatoryServer) -> None:
    hooks = server.hooks()
    deep = {"tool_input": {"command": "ls", "env": [{"note": 'Say "Grüße" twice'}]}}
    hooks.say("PreToolUse", session_id="a", **deep)
    hooks.say("PreToolUse", session_id="a", tool_input={"command": "other"})

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 2)
        app.query_one("#find", Input).value = 'say "GRÜßE'
        await until(pilot, lambda: len(app.window) == 1)
        assert "ls" in lines(app)[0]
        hooks.say("PostToolUse", session_id="a", **deep)
        await until(pilot, lambda: len(app.window) == 2)
        app.query_one("#find", Input).value = "since=soon"
        await until(pilot, lambda: "'soon' is not a time" in str(app.query_one(EventList).border_title))

    watching(server, look)


def test_times_are_of_the_zone_that_is_asked_for(server: ObservatoryServer) -> None:
    server.hooks().say("Stop", session_id="s")
    when = datetime.fromisoformat(server.events()[0]["_ts"])

    def shown(hours: int, offset: str, *, utc: bool) -> None:
        async def look(app: WatchApp, pilot: Pilot[None]) -> None:
            await until(pilot, lambda: len(app.window) == 1)
            local = when + timedelta(hours=hours)
            assert f"{local:%H:%M:%S}" in lines(app)[0]
            await pilot.press("j", "enter")
            await until(pilot, lambda: isinstance(app.screen, Details))
            proved = app.screen.query_one("#proved-text", Static)
            await until(pilot, lambda: f"{local:%Y-%m-%d %H:%M:%S}{offset}, event 1" in str(proved.render()))
            await pilot.press("escape")
            app.query_one("#find", Input).value = f"since={local - timedelta(minutes=1):%Y-%m-%dT%H:%M}"
            await until(pilot, lambda: app.window.filter.since is not None and len(app.window) == 1)
            app.query_one("#find", Input).value = f"since={local + timedelta(minutes=1):%Y-%m-%dT%H:%M}"
            await until(pilot, lambda: len(app.window) == 0)

        watching(server, look, utc=utc)

    with time_zone("Asia/Tokyo"):
        shown(9, "+09:00", utc=False)
        shown(0, "Z", utc=True)


def test_what_could_not_be_looked_through_is_once_the_server_is_back(server: ObservatoryServer) -> None:
    hooks = server.hooks()
    hooks.say("Stop", session_id="a", deep=[{"note": "needle"}])
    hooks.say("Stop", session_id="b")

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 2)
        failed = asyncio.Event()
        between, loop = app.feed.source.between, asyncio.get_running_loop()

        def broken(after: int, through: int) -> Iterator[tuple[int, bytes]]:
            loop.call_soon_threadsafe(failed.set)
            raise SourceError("the server is gone")

        app.feed.source.between = broken  # type: ignore[method-assign]
        app.query_one("#find", Input).value = "needle"
        await until(pilot, failed.is_set)
        assert len(app.window) == 0
        app.feed.source.between = between  # type: ignore[method-assign]
        await until(pilot, lambda: len(app.window) == 1)

    watching(server, look)


def test_a_server_that_goes_and_comes_back_is_told_and_nothing_is_lost(server: ObservatoryServer) -> None:
    server.hooks().say("Stop", session_id="s", message="one")

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 1)
        server.end()
        await until(pilot, lambda: not app.feed.state.live)
        server.start()
        server.hooks().say("Stop", session_id="s", message="two")
        await until(pilot, lambda: len(app.window) == 2)
        assert [line.split()[-1] for line in lines(app)] == ["two", "one"]

    watching(server, look)


def test_what_a_sender_writes_cannot_steer_the_terminal(server: ObservatoryServer) -> None:
    server.hooks().say("Stop", session_id="\x1b[31ms", message="\x1b]0;owned\x07\u202egnorw", cwd="/\x9b31m")

    async def look(app: WatchApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(app.window) == 1 and app.query_one(OptionList).option_count == 1)
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, Details))
        await until(pilot, lambda: "gnorw" in str(app.screen.query_one("#claimed-text", Static).render()))
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert shown.replace("\n", "").isprintable()

    watching(server, look)


def test_it_runs_in_a_real_terminal_and_quits(server: ObservatoryServer) -> None:
    story.tell(server.hooks())
    parent, child = pty.openpty()
    os.set_blocking(parent, False)
    process = started("watch", "--socket", server.path, stdin=child, stdout=child, stderr=child)
    os.close(child)
    seen = b""
    try:
        while b"2 agents wait for you" not in seen:
            assert select.select([parent], [], [], 30)[0], seen[-500:]
            seen += os.read(parent, 65536)
        os.write(parent, b"q")
        while process.poll() is None and select.select([parent], [], [], 30)[0]:
            try:
                os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(parent)


def test_without_a_terminal_it_says_what_to_use_instead(server: ObservatoryServer) -> None:
    process = started("watch", "--socket", server.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate() == (
        "",
        "observatory watch: this needs a terminal; `observatory events --follow` writes lines\n",
    )
    assert process.returncode == 2
