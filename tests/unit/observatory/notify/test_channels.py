"""Each channel reaches a real receiver, and nothing that a message says is run, or read as markup."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observatory.errors import ObservatoryError
from observatory.notify import channels
from observatory.notify.channels import Bell, Command, Desktop, Ntfy, Webhook, url
from observatory.notify.message import Message, compose
from observatory.notify.occasions import Occasion
from tests.helpers.deadline import PATIENCE
from tests.helpers.directories import short_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAEMON = Path(__file__).parents[3] / "helpers" / "notification_daemon.py"
NASTY = "$(touch hit); `touch hit` 'x' \"y\" <b>bold</b> & --help \u00e4"
MESSAGE = compose([Occasion("waits", (None, 0, "s1"), "me", "/home/me/proj", NASTY, 0, 0)])


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A web server on loopback: its address, and what was posted to it."""
    got: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - as the library calls it

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/topic?key=secret", got
        server.shutdown()


def test_a_web_hook_gets_json() -> None:
    with receiver() as (address, got):
        Webhook(address).send(MESSAGE)
    ((path, headers, body),) = got
    assert (path, headers["Content-Type"]) == ("/topic?key=secret", "application/json")
    said = json.loads(body)
    assert (said["title"], said["occasions"][0]["what"]) == ("proj (s1) waits for you", NASTY)


def test_an_ntfy_topic_gets_text_with_a_title() -> None:
    with receiver() as (address, got):
        Ntfy(address).send(MESSAGE)
        Ntfy(address).send(Message("W\u00e4rter\r\nEvil: yes", "", urgent=False, occasions=()))
    ((_, headers, body), (_, second, empty)) = got
    assert (headers["Title"], headers["Priority"]) == ("proj (s1) waits for you", "high")
    assert body.decode() == f"me: {NASTY}"
    assert second["Title"].startswith("=?utf-8?")
    assert "Evil" not in second
    assert empty.decode().startswith("W\u00e4rter")


@pytest.mark.parametrize("status", [301, 303, 404, 500])
def test_what_a_receiver_refuses_is_said_without_the_secret(status: int) -> None:
    with (
        receiver(status) as (address, got),
        pytest.raises(ObservatoryError, match=f"127.0.0.1 answers {status}") as why,
    ):
        Webhook(address).send(MESSAGE)
    assert len(got) == 1, "a redirection was followed"
    assert "secret" not in str(why.value)


def test_a_receiver_that_is_not_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(ObservatoryError, match=r"127\.0\.0\.1 can't be reached"):
        Webhook(address).send(MESSAGE)


def test_a_receiver_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "PATIENCE", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ObservatoryError, match=r"can't be reached: .*timed out"),
    ):
        Webhook(f"http://127.0.0.1:{silent.getsockname()[1]}/").send(MESSAGE)


def test_a_command_gets_the_message_and_runs_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Command('cat > said; printf %s "$OBSERVATORY_TITLE|$OBSERVATORY_TEXT" > variables').send(MESSAGE)
    assert json.loads((tmp_path / "said").read_text())["text"] == f"me: {NASTY}"
    assert (tmp_path / "variables").read_text() == f"proj (s1) waits for you|me: {NASTY}"
    assert sorted(os.listdir()) == ["said", "variables"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo first >&2; echo no such thing >&2; exit 3", "ended with status 3: no such thing"),
        ("exec sleep 600", "took more than 0 seconds, and was ended"),
    ],
)
def test_what_a_command_does_wrong_is_said(command: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "PATIENCE", 0.3 if "sleep" in command else PATIENCE)
    begun = time.monotonic()
    with pytest.raises(ObservatoryError, match=why):
        Command(command).send(MESSAGE)
    assert time.monotonic() - begun < PATIENCE


def test_the_bell_rings(capsys: pytest.CaptureFixture[str]) -> None:
    Bell().send(MESSAGE)
    assert capsys.readouterr().out == "\a"


def test_a_desktop_shows_it_as_text(need: Callable[[str, str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    program, bus = need("notify-send", "libnotify-bin"), need("dbus-daemon", "dbus-daemon")
    with short_directory() as directory:
        words = [bus, "--session", "--nofork", "--print-address=1", f"--address=unix:path={directory}/bus"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as daemon:
            assert daemon.stdout is not None
            monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
            try:
                with subprocess.Popen([sys.executable, str(DAEMON)], stdout=subprocess.PIPE, text=True) as service:
                    assert service.stdout is not None
                    try:
                        assert service.stdout.readline() == "ready\n"
                        Desktop(program).send(MESSAGE)
                        shown = json.loads(service.stdout.readline())
                    finally:
                        service.kill()
            finally:
                daemon.kill()
    assert shown == {
        "app": "observatory",
        "title": "proj (s1) waits for you",
        "text": f"me: {NASTY}".replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#x27;"),
        "urgency": 2,
    }


def test_on_a_mac_the_message_is_no_part_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "osascript").write_text(f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done > {tmp_path}/said\n')
    (tmp_path / "osascript").chmod(0o755)
    Desktop(str(tmp_path / "osascript")).send(MESSAGE)
    said = (tmp_path / "said").read_text().splitlines()
    assert said[-2:] == ["proj (s1) waits for you", f"me: {NASTY}"]
    assert [word for word in said if word == "-e"] == ["-e"] * 3


def test_an_address_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("https://example.org/secret\n")
    assert url(str(tmp_path / "hook")) == url("https://example.org/secret") == "https://example.org/secret"


@pytest.mark.parametrize(
    "text", ["ftp://x/", "http://", "http://a b/", "https://x:0/", "http://x:y/", "http://\u00e4/"]
)
def test_what_is_no_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="there is no URL such as"):
        url(text)
    (tmp_path / "hook").write_text(text)
    with pytest.raises(ObservatoryError, match=r"there is no URL in .*hook such as"):
        url(str(tmp_path / "hook"))
    with pytest.raises(ObservatoryError, match="not a URL or a file with one"):
        url(str(tmp_path / "none"))
