"""Where a message goes: the desktop, the terminal's bell, a web hook, an ntfy topic, a command.

What a message says comes from others, so none of it is ever a part of a command line that a shell reads, of a script,
or of markup: it is an argument, an environment variable, or the standard input.
"""

from __future__ import annotations

import contextlib
import email.header
import html
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from observatory.errors import ExitStatus, ObservatoryError
from observatory.hooks.regular_file import read_regular

if TYPE_CHECKING:
    import http.client

    from observatory.notify.message import Message

PATIENCE: Final = 10.0
"""Seconds that a channel may take."""
_SCRIPT: Final = (
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
)


class Channel(Protocol):
    """A way to tell somebody something."""

    def send(self, message: Message) -> None:
        """Tell it. Raises ObservatoryError."""
        ...


@dataclass(frozen=True, slots=True)
class Bell:
    """The terminal's bell."""

    def send(self, message: Message) -> None:  # noqa: ARG002 - as every channel's
        """Ring."""
        sys.stdout.write("\a")
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Desktop:
    """The desktop's notifications: osascript on macOS, elsewhere libnotify's notify-send."""

    program: str

    def send(self, message: Message) -> None:
        """Show it."""
        if Path(self.program).name == "osascript":
            command = [self.program, *_SCRIPT, message.title, message.text]
        else:
            # A notification's body may have markup (Desktop Notifications Specification), its summary has none.
            urgency = "--urgency=" + ("critical" if message.urgent else "normal")
            command = [self.program, "--app-name=observatory", urgency, "--", message.title, html.escape(message.text)]
        _run(command, b"", {})


def desktop() -> Desktop:
    """The desktop's notifications on this machine. Raises ObservatoryError where there is no program for them."""
    name, package = ("osascript", "macOS") if sys.platform == "darwin" else ("notify-send", "libnotify-bin")
    program = shutil.which(name)
    if program is None:
        raise ObservatoryError(f"there is no {name} in PATH, which shows notifications: it comes with {package}")
    return Desktop(program)


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the user's, by sh: the message is its standard input, as JSON, and in two variables."""

    command: str

    def send(self, message: Message) -> None:
        """Run it."""
        said = {"OBSERVATORY_TITLE": message.title, "OBSERVATORY_TEXT": message.text}
        _run(["sh", "-c", self.command], json.dumps(message.document()).encode(), said)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST of the message as JSON."""

    url: str

    def send(self, message: Message) -> None:
        """Send it."""
        _post(self.url, json.dumps(message.document()).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Ntfy:
    """A POST of the message's text to a topic of ntfy or whatever takes the same (docs.ntfy.sh, 'Publishing')."""

    url: str

    def send(self, message: Message) -> None:
        """Send it."""
        title = message.title if message.title.isascii() else email.header.Header(message.title, "utf-8").encode()
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": " ".join(title.split()),
            "Priority": "high" if message.urgent else "default",
            "Tags": "robot",
        }
        _post(self.url, (message.text or message.title).encode(), headers)


def url(text: str) -> str:
    """An http or https URL: the text, or the first line of the file that it is the path of. Raises ObservatoryError.

    An address often holds a secret, and everybody on a machine sees a command's words.
    """
    found = text
    if "://" not in text:
        try:
            found = read_regular(text).decode().partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ObservatoryError(f"{text!r} is not a URL or a file with one: {reason}", ExitStatus.USAGE) from None
    try:
        parts = urlsplit(found)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not found.isascii() or not found.isprintable() or " " in found:
        where = "" if found == text else f" in {text}"
        raise ObservatoryError(f"there is no URL{where} such as https://example.org/topic", ExitStatus.USAGE)
    return found


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """To follow one would make a GET of a POST, and the message would be lost in silence."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


def _post(address: str, body: bytes, headers: dict[str, str]) -> None:
    host = urlsplit(address).hostname  # the rest may be a secret
    request = urllib.request.Request(address, body, {**headers, "User-Agent": "observatory"}, method="POST")  # noqa: S310 - see `url`
    try:
        answer: http.client.HTTPResponse
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=PATIENCE) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        raise ObservatoryError(f"{host} answers {error.code} {error.reason}") from None
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ObservatoryError(f"{host} can't be reached: {reason}") from None


def _run(command: list[str], said: bytes, variables: dict[str, str]) -> None:
    name = command[0] if command[0] != "sh" else command[-1]
    try:
        started = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **variables},
            start_new_session=True,
        )
    except OSError as error:
        raise ObservatoryError(f"{name} can't be run: {error.strerror}") from None
    with started as process:
        try:
            _, complaint = process.communicate(said, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise ObservatoryError(f"{name} took more than {PATIENCE:.0f} seconds, and was ended") from None
    if process.returncode != 0:
        why = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise ObservatoryError(f"{name} ended with status {process.returncode}" + (f": {why}" if why else ""))
