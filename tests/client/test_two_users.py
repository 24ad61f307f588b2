"""Two users work at once; the auditor sees both, and each of them sees only itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.client.conftest import WHERE
from tests.client.messages_api import LAST_WORDS

if TYPE_CHECKING:
    from tests.client.conftest import Person

ORDER = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"]

pytestmark = pytest.mark.usefixtures("server", "hooked")


def test_each_users_events_are_recorded_in_order_as_that_users(alice: Person, bob: Person, audit: Person) -> None:
    sessions = [(person, person.claude("-p", "--allowedTools", "Bash")) for person in (alice, bob)]
    for person, session in sessions:
        asked = json.dumps({"bash": f"echo {person.name} > mine; id -u"})
        session.send(f"do:{asked}")
        session.close_input()
    for person, session in sessions:
        done = session.wait(60)
        assert (done.status, done.stdout) == (0, f"{LAST_WORDS}\n"), done
        assert person.read("mine") == f"{person.name}\n"
    events = audit.ask("events")
    for person in (alice, bob):
        own = [event for event in events if event["_peer_uid"] == person.uid]
        assert [event["_event"] for event in own if event["_event"] in ORDER] == ORDER
        assert len({event["session_id"] for event in own}) == 1
        assert {event["hook_event_name"] for event in own} == {event["_event"] for event in own}
        assert [event["tool_response"]["stdout"] for event in own if event["_event"] == "PostToolUse"] == [
            str(person.uid)
        ]
        assert {event["_peer_gid"] for event in own} == {person.uid}
        assert person.ask("events") == own, "a user sees just its own events"
    assert {event["_peer_uid"] for event in events} == {alice.uid, bob.uid}
    assert [session["state"] for session in audit.ask("sessions")] == ["ended", "ended"]


def test_a_user_sees_nothing_of_the_other_even_by_asking_for_it(alice: Person, bob: Person, audit: Person) -> None:
    assert alice.turn("do:{}").status == 0
    (session,) = {event["session_id"] for event in audit.ask("events")}
    for query in ([], ["--user", "alice"], ["--event", "Stop"], ["--after", "0"]):
        assert bob.ask("events", *query) == []
        assert audit.ask("events", *query) != []
    assert audit.ask("events", "--session", session) != []
    # To him it is a session that nobody has.
    refused = bob.run_observatory("events", "--json", *WHERE, "--session", session)
    assert (refused.status, refused.stdout) == (1, "")
    assert "there is no event, as far as you may see them" in refused.stderr
    assert bob.ask("sessions") == []


def test_the_doctor_finds_all_well_for_both(alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        said = person.observatory("doctor", *WHERE)
        assert [line.split()[0] for line in said.splitlines()] == ["ok"] * 7, said


def test_uninstalling_leaves_the_clients_settings_as_they_were(alice: Person) -> None:
    text = '{ "env" : {"A":"b"},\n\t"hooks": { } }'
    alice.observatory("uninstall-hooks", "--global")
    alice.write(".claude/settings.json", text)
    alice.observatory("install-hooks", "--global", *WHERE)
    assert alice.turn("do:{}").status == 0
    assert len(json.loads(alice.read(".claude/settings.json"))["hooks"]) >= 29
    alice.observatory("uninstall-hooks", "--global")
    assert alice.read(".claude/settings.json") == text
