"""The picture of the page that the documents show: `nox -s pictures` puts it there."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from tests.web import story
from tests.web.over import Lines, page_over

if TYPE_CHECKING:
    import pytest

    from tests.web.conftest import Page


def test_the_picture_shows_who_waits_and_who_has_asked(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("observatory.web.app.user_name", "observatory.feed.row.user_of_row"):
        monkeypatch.setattr(name, lambda uid: "mia" if uid == 1000 else str(uid))
    monkeypatch.setattr("observatory.web.app.group_name", lambda gid: {1000: "mia", 27: "sudo"}[gid])
    monkeypatch.setattr("observatory.web.app.os.geteuid", lambda: 1000)
    monkeypatch.setattr("observatory.web.app.socket.gethostname", lambda: "workstation")
    with page_over(Lines("the server", 1, morning())) as link:
        page.open(link)
        page.wait("return document.querySelectorAll('.card').length === 6")
        page.run(
            "[...document.querySelectorAll('.row:not([hidden])')]"
            ".find((row) => row.textContent.includes('PermissionRequest')).click()"
        )
        page.wait("return Boolean(document.querySelector('.drawer .proved'))")
        page.run("document.activeElement.blur()")
        assert "mia" in page.text(".drawer .proved")
        page.keep_picture("web")


def morning() -> list[str]:
    """The story as a server has it that was told of it within nine minutes, by processes of uid 1000."""
    told = list(story.events())
    gaps = random.Random(7)
    passed = list(accumulate(gaps.choices((0.2, 1.0, 18.0), (12, 5, 2), k=len(told))))
    begin = datetime.now(UTC) - timedelta(minutes=9, seconds=5)
    lines = []
    for number, ((name, fields), seconds) in enumerate(zip(told, passed, strict=True), 1):
        when = begin + timedelta(minutes=9) * seconds / passed[-1]
        head = {"_id": number, "_ts": f"{when:%Y-%m-%dT%H:%M:%S.%f}Z", "_event": name}
        peer = {"_peer_pid": 40000 + 7 * number, "_peer_uid": 1000, "_peer_gid": 1000, "_peer_groups": [1000, 27]}
        lines.append(json.dumps({**head, **peer, **fields}, separators=(",", ":")))
    return lines
