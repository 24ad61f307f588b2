"""With 200,000 events of 40 sessions stored: what a key takes until the page and the terminal show what it does.

What is held is the time of the processor that the page's main thread, and the terminal's, take for a key: other work
on the machine makes keys slow by the clock, which is printed too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.keys import Keys

from observatory.events import compose, take_apart, timestamp
from observatory.identity import PeerCredentials
from observatory.store import open_store
from tests.helpers.directories import short_directory
from tests.helpers.observatory_server import ObservatoryServer
from tests.web import story
from tests.web.conftest import Web
from tests.web.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Page

EVENTS = 200_000
LIMIT = 6
"""How much of the processor a key takes at most, in units of work that is done beside it: a tenth of a second or so on
an idle machine, and far less than to look at all events. The least of the rounds counts for both, since other work on
the machine adds to what a process takes (it draws while it waits), and takes nothing away."""
ROUNDS = 5
DRAWN = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Waits until the page shows what it has come to."""


def fill(path: str) -> None:
    """A database of so many events, the last of them of now and the first of a day ago."""
    store = open_store(path)
    peer = PeerCredentials(os.getpid(), os.geteuid(), os.getegid(), ())
    now, step = time.time_ns() // 1000, 86_400 * 1_000_000 // EVENTS
    events = []
    for number, (name, said) in enumerate(story.many(EVENTS), 1):
        made = now - (EVENTS - number) * step
        body = {**said, "session_id": f"s{number // 2 % 40:02}", "deep": [{"note": f"Needle {number % 1000}"}]}
        events.append(compose(number, made, timestamp(made), name, peer, take_apart(json.dumps(body).encode())))
        if len(events) == 1000:
            store.append(events)
            events.clear()
    while store.unindexed:
        store.index()
    store.close()


@pytest.fixture(scope="module")
def full() -> Iterator[ObservatoryServer]:
    """A server with all these events."""
    with short_directory() as folder:
        server = ObservatoryServer(folder, stdout=subprocess.DEVNULL)
        fill(server.database)
        server.start()
        yield server
        server.end()


def report(where: str, took: dict[str, list[tuple[float, float]]], units: list[float]) -> None:
    """Print the medians of the clock and the least of the processor, and hold these."""
    slow = []
    unit = min(units)
    print(f"\n{where}: a unit of work takes {unit:.1f} ms of the processor now", end="")
    for key, times in took.items():
        used, clock = min(used for used, _ in times), statistics.median(clock for _, clock in times)
        print(f"\n{where}: {key:28} {used:6.1f} ms of the processor, {clock:6.1f} ms by the clock", end="")
        slow += [key] if used > LIMIT * unit and not key.startswith("(") else []
    print(f"\nload {os.getloadavg()[0]:.1f}")
    assert not slow


def test_the_page_answers_a_key_in_a_tenth_of_a_second(full: ObservatoryServer, page: Page) -> None:
    web = Web(full)
    took: dict[str, list[tuple[float, float]]] = {}
    units: list[float] = []

    def press(what: str, keys: str, until: str, *arguments: Any) -> None:
        before, begun = page.spent(), time.monotonic()
        page.press(keys)
        page.wait(until, *arguments)
        page.run(DRAWN)
        took.setdefault(what, []).append((page.spent() - before, 1000 * (time.monotonic() - begun)))

    def whole(what: str, until: str) -> None:
        """What comes bit by bit, while keys are answered."""
        before, begun = page.spent(), time.monotonic()
        page.wait(until, seconds=120)
        page.run(DRAWN)
        took.setdefault(what, []).append((page.spent() - before, 1000 * (time.monotonic() - begun)))

    count = "document.getElementById('count').textContent"
    try:
        page.open(web.link)
        page.wait(f"return {count}.replace(/\\D/g, '') === '100000'", seconds=120)
        page.begin_counting()
        page.run("document.getElementById('list').focus()")
        for _ in range(ROUNDS):
            units.append(page.unit())
            press("home", Keys.HOME, "return document.querySelector('.row[aria-selected=true]').index === 0")
            press("j", "j", "return document.querySelector('.row[aria-selected=true]').index === 1")
            press("page down", Keys.PAGE_DOWN, "return document.querySelector('.row[aria-selected=true]').index > 5")
            press("end", Keys.END, "return document.querySelector('.row[aria-selected=true]').index === 99999")
            press("enter: an event", Keys.ENTER, "return Boolean(document.querySelector('.drawer .proved'))")
            press("k, with an event open", "k", "return Boolean(document.querySelector('.drawer .proved'))")
            press("escape", Keys.ESCAPE, "return document.getElementById('drawer').hidden")
            press("p", "p", "return document.getElementById('link').dataset.state === 'paused'")
            press("p again", "p", "return document.getElementById('link').dataset.state === 'live'")
            press("/", "/", "return document.activeElement.id === 'text'")
            for text in ("n", "np", "npm", "npm ", "npm t"):
                press(
                    "a letter of a text",
                    text[-1],
                    f"return document.getElementById('text').value === arguments[0] && {count}.includes(' of ')",
                    text,
                )
            page.wait("return !document.getElementById('clear').hidden")
            press("enter: to the list", Keys.ENTER, "return document.activeElement.id === 'list'")
            press("escape: all again", Keys.ESCAPE, f"return {count} === '100,000'")
            page.press("/")
            page.press("needle 77")
            whole("(a text found in 100,000)", f"return {count}.startsWith('1,100 of')")
            page.press(Keys.ENTER, Keys.ESCAPE)
            page.wait(f"return {count} === '100,000'")
            press("c: a conversation", "c", "return document.getElementById('conversation').open")
            # The step of the newest event is marked once all are there.
            whole("(a conversation of 5,000 events)", "return Boolean(document.querySelector('.talk .step.now'))")
            assert page.run("return document.querySelectorAll('.talk .step').length") >= 2500
            press("a step of its replay", Keys.TAB + Keys.ARROW_LEFT, "return true")
            press("escape: closed", Keys.ESCAPE, "return !document.getElementById('conversation').open")
    finally:
        web.end()
    report("page", took, units)


def terminal_work() -> float:
    """A unit of the terminal's, some 25 ms: how many milliseconds of the processor it takes now."""
    begun = time.thread_time()
    json.loads(json.dumps([{"n": n, "text": f"event {n}"} for n in range(20_000)]))
    return 1000 * (time.thread_time() - begun)


def used(pid: int) -> float:
    """Milliseconds of the processor that a process's main thread has had."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e6


def test_the_terminal_answers_a_key_in_a_tenth_of_a_second(full: ObservatoryServer) -> None:
    took: dict[str, list[tuple[float, float]]] = {}
    units: list[float] = []
    terminal = Terminal(full)

    def press(what: str, keys: bytes, shows: bytes) -> None:
        before = used(terminal.process.pid)
        clock = terminal.press(keys, shows)
        took.setdefault(what, []).append((used(terminal.process.pid) - before, clock))

    try:
        terminal.wait(b"100,000", seconds=120)
        for _ in range(ROUNDS):
            units.append(terminal_work())
            press("p", b"p", b"Paused")
            press("p again", b"p", b"at work")
            press("j, enter: an event", b"j\r", b"Verified by the kernel")
            press("escape", b"\x1b", b"Events 100,000 \x1b[")
            terminal.press(b"/", b"mind: npm")  # its first letter is the cursor now
            press("a letter of a text", b"n", b" of 100,000")
            press("another", b"p", b" of 100,000")
            press("enter: to the list", b"\r", b"Events ")
            press("escape: all again", b"\x1b", b"Events 100,000 \x1b[")
    finally:
        terminal.end()
    report("terminal", took, units)
