"""The client on a terminal, as a person sees it: tmux keeps the screen."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.client.conftest import CLAUDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.client.conftest import Person

TMUX = ("tmux", "-L", "seen", "-f", "/dev/null")


class Screen:
    """One terminal of a person's."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def text(self) -> str:
        """What it shows now."""
        return self._tmux("capture-pane", "-p")

    def type(self, text: str) -> None:
        """Type a text, as it is."""
        self._tmux("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def _tmux(self, *words: str) -> str:
        process = self._person.start([*TMUX, *words], {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        process.close_input()
        done = process.wait(20)
        assert done.status == 0, done
        return done.stdout


@contextmanager
def on_screen(person: Person, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[Screen]:
    """Start the client on a terminal of its own, past the questions that it asks a new user."""
    person.settle()
    variables = {**person.environment, "TERM": "tmux-256color", **(more or {})}
    words = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), CLAUDE, *arguments]
    screen = Screen(person)
    screen._tmux("new-session", "-d", "-x", "150", "-y", "50", shlex.join(words))
    try:
        yield screen
    finally:
        screen._tmux("kill-server")
