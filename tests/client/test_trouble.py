"""Whatever becomes of the server, the client says the same, ends the same way, and waits a second a hook at most."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from tests.client.conftest import SOCKET, WHERE, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.client.conftest import Person

SQUATTED = "/tmp/claude-observatory.sock"
LISTEN = """
import pathlib, socket, sys
sock = socket.socket(socket.AF_UNIX)
pathlib.Path(sys.argv[1]).unlink(missing_ok=True)
sock.bind(sys.argv[1])
pathlib.Path(sys.argv[1]).chmod(0o777)
sock.listen(64)
print("listening", flush=True)
kept = []
while True:
    kept.append(sock.accept()[0])
    print("connected", flush=True)
"""
LARGE = "x" * 200_000
"""More than a pipe holds, so that a hook which leaves its input unread makes the client's writing fail."""


@contextlib.contextmanager
def nobody(person: Person, socket: str) -> Iterator[None]:
    yield


@contextlib.contextmanager
def somebody(person: Person, socket: str) -> Iterator[None]:
    """A server of that person's which accepts and never answers."""
    with running(person.start(["python3", "-c", LISTEN, socket])) as process:
        assert process.read_line() == "listening"
        yield


def session(person: Person, prompt: str) -> tuple[tuple[int, str, str], float]:
    """One session with one tool call: what it gave, and how long it took."""
    started = time.monotonic()
    done = person.turn(prompt + 'do:{"bash": "echo hello"}')
    return (done.status, done.stdout, done.stderr), time.monotonic() - started


@pytest.mark.parametrize("prompt", ["", LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("trouble", "whose", "socket"),
    [(nobody, "audit", SOCKET), (somebody, "audit", SOCKET), (somebody, "mallory", SQUATTED)],
    ids=["down", "hanging", "another user's"],
)
def test_a_session_is_the_same_with_the_server(
    people: dict[str, Person],
    trouble: Callable[[Person, str], contextlib.AbstractContextManager[None]],
    whose: str,
    socket: str,
    prompt: str,
) -> None:
    alice = people["alice"]
    without, usual = min((session(alice, prompt) for _ in range(2)), key=lambda told: told[1])
    alice.observatory("install-hooks", "--global", "--socket", socket, "--server-user", "audit")
    more = []
    for _ in range(3):  # another program may have the processor
        with trouble(people[whose], socket):
            told, took = session(alice, prompt)
        assert told == without
        assert without[0] == 0
        more.append(took - usual)
        if more[-1] < HOOKS:
            return
    pytest.fail(f"{HOOKS} hooks took {more} seconds more, at three attempts: more than one each")


HOOKS = 8
"""As many hooks has such a session; `test_a_session_has_so_many_hooks` counts them."""


@pytest.mark.usefixtures("server")
def test_a_session_has_so_many_hooks(alice: Person) -> None:
    alice.observatory("install-hooks", "--global", *WHERE)
    session(alice, "")
    assert len(alice.ask("events")) == HOOKS


def test_another_users_server_is_sent_nothing(alice: Person, mallory: Person) -> None:
    alice.observatory("install-hooks", "--global", "--socket", SQUATTED)
    with running(mallory.start(["python3", "-c", LISTEN, SQUATTED])) as process:
        assert process.read_line() == "listening"
        assert alice.turn("do:{}").status == 0
        refused = alice.run_observatory("whoami", "--socket", SQUATTED)
        assert refused.status == 77
        assert "is mallory's (uid 1700), not yours or root's" in refused.stderr
        # The one connection is the last command's, which looked at the server's uid and sent nothing.
        assert process.read_line() == "connected"
        with pytest.raises(TimeoutError):
            process.read_line(timeout=0.2)


@pytest.mark.usefixtures("server")
def test_an_event_name_that_the_client_does_not_know_does_no_harm_in_settings(alice: Person) -> None:
    without, _ = session(alice, "")
    text = '{"hooks": {"NoSuchEvent": [{"hooks": [{"type": "command", "command": "true"}]}]}}'
    alice.write("settings.json", text)
    assert alice.start(["sh", "-c", "mkdir -p .claude && cp settings.json .claude/"]).wait().status == 0
    alice.observatory("install-hooks", "--global", *WHERE)
    told, _ = session(alice, "")
    assert told[:2] == without[:2]  # later versions say on standard error that they skip it
    assert len(alice.ask("events")) == HOOKS
