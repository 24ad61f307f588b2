"""The browser tells of a session that begins to wait, or has died, while nobody looks; and of nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.observatory_server import ObservatoryServer
    from tests.web.conftest import Page, Web

RECORD = """
window.told = [];
window.Notification = class { constructor(title, given) { window.told.push([title, given.body]); } close() {} };
window.Notification.permission = 'default';
window.Notification.requestPermission = async () => (window.Notification.permission = window.answer ?? 'granted');
Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.away ?? false });
"""
"""A browser's notifications, recorded: nobody sees those of one without a screen."""


@pytest.fixture
def recorded(page: Page) -> Iterator[Page]:
    """A browser whose notifications are recorded until the test's end."""
    devtools = page.chromium.execute_cdp_cmd
    added = devtools("Page.addScriptToEvaluateOnNewDocument", {"source": RECORD})
    yield page
    devtools("Page.removeScriptToEvaluateOnNewDocument", {"identifier": added["identifier"]})


def test_what_waits_while_nobody_looks_is_told(server: ObservatoryServer, web: Web, recorded: Page) -> None:
    page, hooks = recorded, server.hooks()

    def waits(session: str) -> None:
        asked = {"tool_name": "Bash", "tool_input": {"command": "git push"}}
        hooks.say("PermissionRequest", session_id=session, cwd=f"/home/mia/{session}", **asked)
        if session != "before":
            page.wait("return document.querySelector('#cards').innerText.includes(arguments[0])", session)

    waits("before")
    page.open(web.link)
    page.wait("return document.querySelectorAll('.card').length === 1")
    waits("unasked")
    page.run("window.away = true; document.getElementById('notices').click()")
    page.wait("return document.getElementById('notices').getAttribute('aria-pressed') === 'true'")
    waits("away")
    page.wait("return window.told.length === 1")
    hooks.say("Stop", session_id="away", cwd="/home/mia/away")
    page.run("window.away = false")
    waits("seen")
    page.run("window.away = true")
    waits("later")
    page.wait("return window.told.length === 2")
    assert page.run("return window.told") == [
        ["away: Asks to use Bash", "git push"],
        ["later: Asks to use Bash", "git push"],
    ]
    page.run("document.getElementById('notices').click()")
    page.wait("return document.getElementById('notices').getAttribute('aria-pressed') === 'false'")
    waits("off")
    assert page.run("return window.told.length") == 2


def test_a_browser_that_refuses_is_said(web: Web, recorded: Page) -> None:
    page = recorded
    page.open(web.link)
    page.run("window.answer = 'denied'; document.getElementById('notices').click()")
    page.wait("return document.getElementById('notices').title === 'Notifications: the browser refuses them'")
    assert page.run("return document.getElementById('notices').getAttribute('aria-pressed')") == "false"
