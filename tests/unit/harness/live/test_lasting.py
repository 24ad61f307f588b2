from __future__ import annotations

import pytest

from harness.live.lasting import lasting
from harness.live.listener import Holder

NO_PROCESS = 2**22 + 7


@pytest.mark.parametrize(
    ("name", "lists", "told"),
    [
        ("dockerd", True, "its option --group, or group in daemon.json (of dockerd)"),
        ("php-fpm8.2", True, "listen.mode, listen.owner and listen.group of its pool"),
        ("other", True, "setfacl -d -m u:web:rw '/run/an app' for what is made there"),
        ("other", False, "the umask and the group that its server has"),
    ],
)
def test_a_servers_own_option_comes_first(name: str, lists: bool, told: str) -> None:
    held = (Holder(NO_PROCESS, name, 0, 0.0),)
    assert told in lasting(held, "/run/an app", "web", lists=lists)


def test_a_unit_is_told_to_be_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.live.lasting.unit_of", lambda _: "app.service")
    held = (Holder(NO_PROCESS, "app", 0, 0.0),)
    assert lasting(held, "/run/app", "web", lists=True) == "UMask= and Group= by systemctl edit app.service"
    activated = (Holder(1, "systemd", 0, 0.0), *held)
    assert lasting(activated, "/run/app", "web", lists=True).startswith("SocketMode= and SocketGroup=")
