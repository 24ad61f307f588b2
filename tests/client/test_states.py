"""`observatory sessions` follows a session of the real client through its states, to its end or its death."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.client.conftest import WHERE, running
from tests.helpers.deadline import until

if TYPE_CHECKING:
    from harness.engines.protocol import Process
    from tests.client.conftest import Person

pytestmark = pytest.mark.usefixtures("server", "hooked")

STREAMING = ("-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")


def prompt(session: Process, **asked: str) -> None:
    """Give a session that reads a stream of prompts the next one."""
    message = {"role": "user", "content": f"do:{json.dumps(asked)}"}
    session.send(json.dumps({"type": "user", "message": message}) + "\n")


def enter(session: Process) -> bool:
    """Press Enter: once is not enough if the client is not ready yet, and more often does no harm."""
    session.send("\r")
    return True


WAIT = "until [ -e go ]; do sleep 0.05; done"
"""A command that ends when there is a file `go`. (The client itself reads a named pipe that a command names.)"""


def until_state(person: Person, state: str, seconds: float = 20) -> None:
    until(lambda: person.state() == state, lambda: f"{state}, and not {person.state()}", seconds)


def test_a_session_goes_through_its_states(alice: Person) -> None:
    assert alice.start(["mkfifo", "-m", "0666", "/tmp/model"]).wait().status == 0
    with running(alice.claude(*STREAMING, "--allowedTools", "Bash")) as session:
        until_state(alice, "fresh")
        prompt(session, bash=WAIT, gate="/tmp/model")
        until_state(alice, "running a tool")
        (told,) = alice.ask("sessions")
        assert (told["tool"], told["project"], told["uid"]) == ("Bash", alice.home, alice.uid)
        alice.write("go", "")
        until_state(alice, "working")
        alice.write("/tmp/model", "go")
        until_state(alice, "idle")
        session.close_input()
        assert session.wait(30).status == 0
        assert alice.state() == "ended"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "running a tool"])
def test_a_session_is_dead_within_a_second_of_its_killing(alice: Person, busy: bool) -> None:
    with running(alice.claude(*STREAMING, "--allowedTools", "Bash")) as session:
        prompt(session, **({"bash": WAIT} if busy else {}))
        until_state(alice, "running a tool" if busy else "idle")
        with running(alice.start_observatory("events", "--follow", "--json", *WHERE)) as told:
            told.read_line()  # it follows
            session.signal(signal.SIGKILL)
            killed = time.monotonic()
            while (dead := json.loads(told.read_line()))["_event"] != "SessionDead":
                pass
            assert time.monotonic() - killed < 1.0
        assert dead["_session_pid"] == session.pid
        assert dead["_peer_uid"] == alice.uid
        (found,) = alice.ask("sessions")
        assert (found["state"], found["session_id"], found["pid"]) == ("dead", dead["session_id"], session.pid)


def test_a_dead_session_that_is_resumed_lives_again(alice: Person) -> None:
    with running(alice.claude(*STREAMING)) as session:
        prompt(session)
        until_state(alice, "idle")
        session.signal(signal.SIGKILL)
        until_state(alice, "dead")
    (told,) = alice.ask("sessions")
    done = alice.turn("do:{}", "--resume", told["session_id"])
    assert done.status == 0, done
    states = {session["session_id"]: session["state"] for session in alice.ask("sessions")}
    assert states[told["session_id"]] == "ended"


def submit(session: Process, person: Person) -> None:
    """Press Enter until the prompt is taken; not again too soon, since the next Enter would grant a permission."""

    def taken() -> bool:
        session.send("\r")
        return any(person.state() not in {"fresh", None} for _ in range(20))

    until(taken, "the prompt is taken", 60)


@pytest.mark.parametrize(("command", "state"), [("touch here", "waiting for permission"), (WAIT, "running a tool")])
def test_a_session_that_its_user_interrupts_is_idle(alice: Person, command: str, state: str) -> None:
    with running(alice.terminal()) as session:
        session.read_line()
        until_state(alice, "fresh")
        session.send(f"do:{json.dumps({'bash': command})}")
        submit(session, alice)
        until_state(alice, state, 60)
        before = alice.ask("events")
        session.send("\x1b")
        until_state(alice, "idle", 60)
        assert alice.ask("events") == before, "the client said so itself"
        (told,) = alice.ask("sessions")
        assert told["interrupted"]
        assert "idle, interrupted" in alice.observatory("sessions", *WHERE)


def test_a_session_ends_with_the_last_of_its_processes(alice: Person) -> None:
    with running(alice.claude(*STREAMING)) as session:
        prompt(session)
        until_state(alice, "idle")
        (told,) = alice.ask("sessions")
        done = alice.turn("do:{}", "--resume", told["session_id"])
        assert done.status == 0, done
        ends = alice.ask("events", "--event", "SessionEnd")
        assert [(end["session_id"], end["_session_pids"]) for end in ends] == [(told["session_id"], [session.pid])]
        assert alice.state() == "idle", "the first process lives"
        prompt(session)
        until(lambda: len(alice.ask("events", "--event", "Stop")) == 3, "a third turn")
        assert alice.state() == "idle"
        session.signal(signal.SIGKILL)
        until_state(alice, "dead")


def test_a_session_on_a_terminal_waits_for_permission_and_is_idle_then(alice: Person) -> None:
    with running(alice.terminal()) as session:
        client = int(session.read_line())
        until_state(alice, "fresh")
        session.send('do:{"bash": "touch here"}')
        until(lambda: enter(session) and alice.state() not in {"fresh", None}, "the prompt is taken")
        until_state(alice, "waiting for permission")
        (told,) = alice.ask("sessions")
        assert told["tool"] == "Bash"
        assert alice.read("here") == "", "it did not wait"
        session.send("\r")
        until_state(alice, "idle", 60)
        assert alice.start(["kill", "-9", str(client)]).wait().status == 0
        until_state(alice, "dead")
