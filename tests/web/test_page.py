"""The page in a real browser, over a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.web import story
from tests.web.conftest import is_root

if TYPE_CHECKING:
    from tests.helpers.observatory_server import ObservatoryServer
    from tests.web.conftest import Page, Web

LIMIT = 500
"""Milliseconds from an event to its row."""


def test_an_event_is_on_the_page_within_half_a_second(server: ObservatoryServer, web: Web, page: Page) -> None:
    page.open(web.link)
    hooks = server.hooks()
    took = []
    for number in range(10):
        hooks.say("PreToolUse", session_id="s", tool_name="Bash", tool_input={"command": f"true {number}"})
        sent = time.time() * 1000
        page.wait(
            "return document.querySelector('#row-0')?.parentNode.innerText.includes(arguments[0])", f"true {number}"
        )
        took.append(time.time() * 1000 - sent)
    print(f"\nfrom the answer to the row: {sorted(took)[5]:.0f} ms in the middle, {max(took):.0f} ms at most")
    # The middle one: other work on the machine may hold up any one of them.
    assert sorted(took)[5] < LIMIT


def test_events_of_before_are_there_when_the_page_opens(server: ObservatoryServer, web: Web, page: Page) -> None:
    server.hooks().say_all(
        ("PreToolUse", {"session_id": "s", "tool_input": {"command": f"c{n}"}}) for n in range(5_000)
    )
    page.open(web.link)
    page.wait("return document.getElementById('count').textContent.replace(/\\D/g, '') === '5000'")


def test_sessions_are_cards_that_say_what_each_is_doing(server: ObservatoryServer, web: Web, page: Page) -> None:
    story.tell(server.hooks())
    page.open(web.link)
    page.wait("return document.querySelectorAll('.card').length === 6")
    cards = page.run(
        """const groups = [...document.querySelectorAll('.group:not([hidden])')];
        return groups.map((group) => [group.firstChild.firstChild.textContent,
          [...group.querySelectorAll('.card')].map((card) =>
            [card.querySelector('.state').textContent, card.querySelector('b').textContent])])"""
    )
    assert cards == [
        ["Waiting for you", [["Asks to use Bash", "payments-api"], ["Asks: Which branch?", "notes"]]],
        ["Working", [["Running Bash", "claude-observatory"], ["Thinking", "terraform"]]],
        ["Idle", [["Idle", "design-system"]]],
        ["Over", [["Ended", "frontend"]]],
    ]
    assert page.text("#now").replace("\n", " ") == "2 agents wait for you, 2 at work, 1 idle."


def test_a_card_follows_its_session(server: ObservatoryServer, web: Web, page: Page) -> None:
    hooks = server.hooks()
    page.open(web.link)
    told: list[tuple[str, dict[str, Any], str]] = [
        ("SessionStart", {"source": "startup"}, "Just started"),
        ("UserPromptSubmit", {"prompt": "go"}, "Thinking"),
        ("PreToolUse", {"tool_name": "Bash", "tool_use_id": "1"}, "Running Bash"),
        ("PermissionRequest", {"tool_name": "Bash"}, "Asks to use Bash"),
        ("PostToolUse", {"tool_name": "Bash", "tool_use_id": "1"}, "Thinking"),
        ("Stop", {}, "Idle"),
        ("SessionEnd", {"reason": "exit"}, "Ended"),
    ]
    for event, fields, words in told:
        hooks.say(event, session_id="one", cwd="/home/mia/x", **fields)
        page.wait("return document.querySelector('.card .state')?.textContent === arguments[0]", words)


def test_a_session_whose_process_is_killed_is_shown_as_dead(server: ObservatoryServer, web: Web, page: Page) -> None:
    # As Claude Code does it: the session's process starts a shell, which starts the client that sends.
    send = f"curl -s --unix-socket {server.path} -d @- 'http://localhost/hook?event=PreToolUse' >/dev/null; true"
    said = json.dumps({"session_id": "k", "cwd": "/x", "tool_name": "Bash"}).encode()
    code = f"import subprocess; subprocess.run(['sh', '-c', {send!r}], input={said!r}); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    page.open(web.link)
    page.wait("return document.querySelector('.card .state')?.textContent === 'Running Bash'")
    process.kill()
    process.communicate()
    page.wait(
        "return document.querySelector('.card .state')?.textContent === arguments[0]", f"Died (process {process.pid})"
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("by-event", "Stop", ["Stop"]),
        ("by-tool", "Edit", ["PreToolUse", "PostToolUse"]),
        ("by-session", "\0{uid}\0b", ["Stop", "UserPromptSubmit"]),
    ],
)
def test_a_filter_leaves_what_it_names(
    server: ObservatoryServer, web: Web, page: Page, field: str, value: str, expected: list[str]
) -> None:
    hooks = server.hooks()
    for event, fields in [
        ("UserPromptSubmit", {"session_id": "b", "prompt": "x"}),
        ("PostToolUse", {"session_id": "a", "tool_name": "Edit"}),
        ("PreToolUse", {"session_id": "a", "tool_name": "Edit"}),
        ("PreToolUse", {"session_id": "a", "tool_name": "Bash"}),
        ("Stop", {"session_id": "b"}),
    ]:
        hooks.say(event, **fields)
    page.open(web.link)
    page.wait_for_rows(5)
    page.wait("return document.getElementById('by-session').length === 3")
    page.choose(field, value.format(uid=os.geteuid()))
    page.wait_for_rows(len(expected))
    assert [row.split(" | ")[0] for row in page.rows()] == expected
    assert page.text("#count") == f"{len(expected)} of 5"
    hooks.say("Stop", session_id="a", tool_name="Edit")
    page.wait("return document.getElementById('count').textContent.endsWith(' of 6')")
    page.press(Keys.ESCAPE)
    page.wait_for_rows(6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tool=edit tool=bash", ["PostToolUse", "PreToolUse"]),
        ("session=0a1b2c3d", ["Stop"]),
        ("event=pretooluse since=1h make", ["PreToolUse"]),
        ("until=1h", []),
        ("since=today until=2999-01-01T00:00+01:00", ["Stop", "PostToolUse", "PreToolUse"]),
    ],
)
def test_the_find_field_takes_the_words_of_the_commands(
    server: ObservatoryServer, web: Web, page: Page, text: str, expected: list[str]
) -> None:
    hooks = server.hooks()
    hooks.say("PreToolUse", session_id="a", tool_name="Bash", tool_input={"command": "make"})
    hooks.say("PostToolUse", session_id="a", tool_name="Edit", duration_ms=81234)
    hooks.say("Stop", session_id="0a1b2c3d-1111")
    page.open(web.link)
    page.wait_for_rows(3)
    assert "1m21s" in page.rows()[1]
    page.press("/")
    page.press(text)
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "list"
    page.wait_for_rows(len(expected))
    assert [row.split(" | ")[0] for row in page.rows()] == expected
    page.find("since=soon tool=none")
    page.wait("return document.getElementById('no-events').textContent.includes('“soon” is not a time')")


def test_a_card_is_whole_while_an_event_is_open(server: ObservatoryServer, web: Web, page: Page) -> None:
    hooks = server.hooks()
    hooks.say("PreToolUse", session_id="a", cwd="/home/mia/" + "project" * 9, tool_input={"command": "make " * 30})
    page.open(web.link)
    page.wait_for_rows(1)
    page.wait("return Boolean(document.querySelector('.card'))")
    page.open_first()
    edges = "const of = (name) => document.querySelector(name).getBoundingClientRect().right; "
    assert page.run(f"{edges} return of('.card') <= of('.sessions') && of('.card .age') <= of('.card')")


def test_text_is_found_anywhere_in_an_event_and_in_those_that_come(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    hooks = server.hooks()
    deep = {"tool_input": {"command": "ls", "env": [{"note": 'Say "Grüße" twice'}]}}
    hooks.say("PreToolUse", session_id="a", **deep)
    hooks.say("PreToolUse", session_id="a", tool_input={"command": "other"})
    page.open(web.link)
    page.wait_for_rows(2)
    page.find('say "GRÜSSE'.replace("SS", "ß").lower())
    page.wait_for_rows(1)
    assert "ls" in page.rows()[0]
    hooks.say("PostToolUse", session_id="a", **deep)
    page.wait_for_rows(2)
    page.find("nowhere at all")
    page.wait("return !document.getElementById('no-events').hidden")


@pytest.mark.skipif(not is_root(), reason="only root can act as two users")
def test_a_viewer_of_several_users_can_choose_one_and_sees_whose_each_event_is(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    os.chmod(server.path, 0o666)
    os.chmod(os.path.dirname(server.path), 0o711)
    send = [
        "curl",
        "-s",
        "--unix-socket",
        server.path,
        "-d",
        '{"session_id":"n"}',
        "http://localhost/hook?event=Stop",
    ]
    subprocess.run(send, check=True)
    subprocess.run(send, check=True, user=65534)
    page.open(web.link)
    page.wait_for_rows(2)
    page.wait("return !document.getElementById('users').hidden")
    assert len(page.run("return [...document.querySelectorAll('.card')]")) == 2, (
        "two users' sessions, though of one name"
    )
    page.choose("by-user", "nobody")
    page.wait_for_rows(1)
    assert page.rows() == ["Stop |  |  |  | n · nobody"]


def test_an_event_opens_with_what_is_proved_apart_from_what_is_claimed(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    server.hooks().say(
        "PreToolUse", session_id="s", cwd="/claimed", tool_name="Bash", _peer_uid=4242, _peer_pid=1, uid=4243
    )
    page.open(web.link)
    page.wait_for_rows(1)
    page.open_first()
    proved, claimed, whole = (page.text(f".drawer {part}") for part in (".proved", ".claimed", "pre"))
    assert f"uid {os.geteuid()}" in proved
    assert f"pid {os.getpid()}" in proved
    assert "4242" not in proved + claimed + whole, "a forged uid got through"
    assert "4243" not in proved
    assert "/claimed" in claimed
    assert "/claimed" not in proved
    assert json.loads(whole)["_peer_uid"] == os.geteuid()


def test_what_the_sender_writes_is_text_and_never_markup(server: ObservatoryServer, web: Web, page: Page) -> None:
    bomb = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    server.hooks().say(
        bomb.replace(" ", "%20").replace('"', "%22"),
        session_id=bomb,
        cwd=f"/{bomb}",
        tool_name=bomb,
        tool_input={"command": bomb},
    )
    page.open(web.link)
    page.wait_for_rows(1)
    page.open_first()
    assert page.run("return document.querySelectorAll('main img, main script').length") == 0
    assert page.run("return document.title") == "Observatory"
    assert bomb in page.rows()[0]


def test_a_pause_holds_everything_still_and_loses_nothing(server: ObservatoryServer, web: Web, page: Page) -> None:
    hooks = server.hooks()
    hooks.say("UserPromptSubmit", session_id="s", prompt="first")
    page.open(web.link)
    page.wait_for_rows(1)
    page.press("p")
    for number in range(3):
        hooks.say("Stop", session_id="s", message=f"later {number}")
    page.wait("return document.getElementById('link-text').textContent.startsWith('Paused · 3 events')")
    assert len(page.rows()) == 1
    assert page.text(".card .state") == "Thinking"
    page.press("p")
    page.wait_for_rows(4)
    assert page.text(".card .state") == "Idle"


def test_the_list_holds_still_where_one_reads_and_says_what_is_new(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    hooks = server.hooks()
    hooks.say_all(("Stop", {"session_id": "s", "message": f"m{n}"}) for n in range(200))
    page.open(web.link)
    page.wait("return document.getElementById('count').textContent === '200'")
    page.run("document.getElementById('list').scrollTop = 1000")
    page.wait("return [...document.querySelectorAll('.row')].some((row) => row.innerText.includes('m165'))")
    before = page.rows()
    hooks.say_all(("Stop", {"session_id": "s", "message": f"new{n}"}) for n in range(5))
    page.wait("return document.getElementById('fresh').textContent === '↑ 5 newer events'")
    assert page.rows() == before
    page.run("document.getElementById('fresh').click()")
    page.wait("return [...document.querySelectorAll('.row')].some((row) => row.innerText.includes('new4'))")
    assert "new4" in page.rows()[0]


def test_no_event_is_lost_or_shown_twice_when_the_server_dies_and_comes_back(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    page.size(1440, 9000)
    page.open(web.link)
    sent = 0
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        hooks = server.hooks()
        for _ in range(40):
            hooks.say("Stop", session_id="s", message=f"event {sent}.")
            sent += 1
        server.end(number)
        page.wait(
            "return document.getElementById('link').dataset.state === 'lost'"
            " && !document.getElementById('notice').hidden"
        )
        server.start()
        page.wait("return document.getElementById('link').dataset.state === 'live'")
    server.hooks().say("Stop", session_id="s", message=f"event {sent}.")
    page.wait_for_rows(sent + 1)
    assert [row.split(" | ")[3] for row in page.rows()] == [f"event {number}." for number in range(sent, -1, -1)]


def test_a_server_with_another_database_is_not_taken_for_the_same(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    server.hooks().say_all(("Stop", {"session_id": "s", "message": f"old {n}"}) for n in range(30))
    page.open(web.link)
    page.wait("return document.getElementById('count').textContent === '30'")
    server.end()
    server.delete_database()
    server.start()
    server.hooks().say("Stop", session_id="t", message="new")
    page.wait("return document.getElementById('count').textContent === '1'")
    assert page.rows() == ["Stop |  |  | new | t"]


def test_a_page_whose_command_has_ended_says_so_and_asks_nobody_else(
    server: ObservatoryServer, web: Web, page: Page
) -> None:
    page.open(web.link)
    assert web.end() == 0
    page.wait("return document.getElementById('link-text').textContent === 'Disconnected'")
    assert "open the link that it printed" in page.text("#notice")


def test_a_hundred_thousand_events_scroll_smoothly(server: ObservatoryServer, web: Web, page: Page) -> None:
    server.hooks().say_all(story.many(100_000))
    page.open(web.link)
    page.wait("return document.getElementById('count').textContent.replace(/\\D/g, '') === '100000'", seconds=60)
    page.begin_counting()
    unit = min(page.unit() for _ in range(5))
    before = page.spent()
    frames = page.chromium.execute_async_script(
        """const done = arguments[0], list = document.getElementById('list'), times = [];
        let last = performance.now(), most = 0, steps = 0;
        (function frame(now) {
          times.push(now - last);
          last = now;
          most = Math.max(most, document.querySelectorAll('.row').length);
          // Small steps as a wheel makes them, and now and then a leap as the bar does.
          list.scrollTop += ++steps % 40 ? 120 : list.scrollHeight / 6;
          if (steps < 240) requestAnimationFrame(frame);
          else done({ times: times.slice(2).sort((a, b) => a - b), most, bottom: list.scrollTop });
        })(last);"""
    )
    times, most = frames["times"], frames["most"]
    work = (page.spent() - before) / len(times)
    print(
        f"\n100,000 events: {work:.1f} ms of work a frame (a unit takes {unit:.1f}), which comes after "
        f"{times[len(times) // 2]:.1f} ms in the middle and {times[int(len(times) * 0.95)]:.1f} ms for 95 %"
    )
    assert most < 80
    assert frames["bottom"] > 2_000_000
    # A unit is the time of a frame, 17 ms, on an idle machine; to lay out all events would take a thousand of them.
    assert work < unit


def test_durations_are_those_of_the_events_that_match(server: ObservatoryServer, web: Web, page: Page) -> None:
    hooks = server.hooks()
    for tool, times in {"Bash": range(1, 101), "Read": (7,)}.items():
        for number in times:
            hooks.say("PostToolUse", session_id="s", tool_name=tool, duration_ms=number * 1000)
    hooks.say("PostToolUse", session_id="s", tool_name="Edit")
    page.open(web.link)
    page.wait("return document.getElementById('count').textContent === '102'")

    def shown() -> list[list[str]]:
        page.run("document.getElementById('list').focus()")
        page.press("d")
        page.wait("return document.getElementById('durations').open")
        rows = page.run(
            """return [...document.querySelectorAll('#durations tbody tr')]
            .map((row) => [...row.children].slice(0, 5).map((cell) => cell.textContent))"""
        )
        page.press(Keys.ESCAPE)
        return list(rows)

    assert shown() == [["Bash", "100", "50s", "1m35s", "1m40s"], ["Read", "1", "7.0s", "7.0s", "7.0s"]]
    page.find("tool=read")
    page.wait_for_rows(1)
    assert [row[0] for row in shown()] == ["Read"]
    page.find("tool=edit")
    page.wait_for_rows(1)
    assert shown() == []


def test_the_keyboard_is_enough(server: ObservatoryServer, web: Web, page: Page) -> None:
    story.tell(server.hooks())
    page.open(web.link)
    page.wait("return document.querySelectorAll('.card').length === 6")
    page.press("jj")
    assert page.run("return document.querySelector('.row[aria-selected=true]').index") == 1
    page.run("document.getElementById('list').focus()")
    page.press(Keys.ENTER)
    page.wait("return document.getElementById('drawer-title')?.textContent === 'Notification'")
    assert page.run("return document.activeElement.getAttribute('aria-label')") == "Close"
    page.press("j")
    page.wait("return document.getElementById('drawer-title').textContent === 'Stop'")
    page.press(Keys.ESCAPE)
    page.wait("return document.getElementById('drawer').hidden")
    assert page.run("return document.activeElement.id") == "list"
    page.press("/")
    page.press("force")
    page.wait("return document.getElementById('count').textContent.startsWith('2 of ')")
    page.press(Keys.ESCAPE)
    page.press(Keys.ESCAPE)
    page.wait("return document.getElementById('clear').hidden")
    page.press("?")
    assert page.run("return document.getElementById('help').open")
    page.press(Keys.ESCAPE)
    page.run("document.getElementById('chart').focus()")
    page.press(Keys.ARROW_LEFT)
    assert "event" in page.run("return document.getElementById('chart').getAttribute('aria-valuetext')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
def test_everybody_can_read_it(server: ObservatoryServer, web: Web, page: Page, dark: bool, phone: bool) -> None:
    axe = (files("axe_core_python") / "axe.min.js").read_text()
    story.tell(server.hooks())
    page.dark(dark)
    page.size(*((390, 844) if phone else (1440, 900)), phone=phone)
    page.open(web.link)
    page.wait("return document.querySelectorAll('.card').length === 6")
    theme = "dark" if dark else "light"
    look = "phone" if phone else "wide"
    said = []
    for part in ("sessions", "durations", "events", "event"):
        if part == "durations":
            page.run("document.getElementById('durations-open').click()")
        if part == "events":
            page.run("document.getElementById('durations').close()")
            page.run("document.querySelector('[data-to=events]').click()")
        if part == "event":
            page.open_first()
        page.keep_picture(f"web-{look}-{theme}-{part}")
        # By the debugger's protocol, since the page's own policy lets nothing in.
        page.chromium.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        found = page.chromium.execute_async_script("axe.run({ resultTypes: ['violations'] }).then(arguments[0])")
        said += [
            f"{part}: {violation['id']}: {node['html'][:200]} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]
        assert page.run("return document.documentElement.scrollWidth <= innerWidth"), f"{part} is wider than the screen"
    assert not said, "\n".join(said)


def test_nothing_comes_from_elsewhere(server: ObservatoryServer, web: Web, page: Page) -> None:
    story.tell(server.hooks())
    page.open(web.link)
    page.wait("return document.querySelectorAll('.card').length === 6")
    asked = page.run("return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
    assert set(asked) == {f"http://127.0.0.1:{web.port}"}
    assert "key=" not in page.chromium.current_url
    assert page.run("return document.cookie") == "", "a script can read the cookie"
