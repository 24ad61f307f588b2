"""What is told of a session: each change once, nothing of the past, and nothing that is over by then."""

from __future__ import annotations

from typing import Any

from observatory.feed.cards import Cards
from observatory.feed.row import row
from observatory.notify.message import LINES, compose
from observatory.notify.occasions import KINDS, Occasion, Occasions


class Told:
    """Events that a feed has read, and what is told of them."""

    def __init__(self, *kinds: str, after: int = 0) -> None:
        self.occasions = Occasions(frozenset(kind for kind in KINDS if kind in (kinds or KINDS)), after)
        self.cards = Cards()
        self.place = self.version = 0

    def of(self, *names: str, session: str = "s1", second: int | None = None, **fields: Any) -> list[Occasion]:
        """The occasions of events of these names that come together."""
        rows = []
        for name in names:
            self.place += 1
            time = f"2026-01-01T00:{self.place if second is None else second:02d}:00Z"
            event = {"_id": self.place, "_ts": time, "_event": name, "_peer_uid": 0, "session_id": session, **fields}
            rows.append(row(self.place, event))
            self.cards.add(rows[-1], event)
        changed, self.version = self.cards.since(self.version), self.cards.version
        return self.occasions.take(rows, changed)


def kinds(occasions: list[Occasion]) -> list[str]:
    return [occasion.kind for occasion in occasions]


def test_each_change_of_a_session_is_told_once() -> None:
    told = Told()
    assert kinds(told.of("SessionStart", "UserPromptSubmit", "PreToolUse")) == []
    asked: dict[str, Any] = {"tool_name": "Bash", "tool_input": {"command": "rm -r build"}}
    (waits,) = told.of("PermissionRequest", cwd="/home/me/proj", **asked)
    assert (waits.kind, waits.what, waits.project, waits.session) == (
        *("waits", "Bash: rm -r build", "/home/me/proj", (None, 0, "s1")),
    )
    assert kinds(told.of("Notification", notification_type="permission_prompt")) == []
    assert kinds(told.of("PostToolUse", **asked)) == []
    assert kinds(told.of("Stop")) == ["finished"]
    assert kinds(told.of("Notification", notification_type="idle_prompt")) == []
    assert kinds(told.of("SessionEnd")) == ["ended"]


def test_a_question_is_told_with_its_words() -> None:
    told = Told()
    asked: dict[str, Any] = {"questions": [{"question": "Which database?"}]}
    (waits,) = told.of("PreToolUse", tool_name="AskUserQuestion", tool_input=asked, tool_use_id="t1")
    assert (waits.kind, waits.what) == ("waits", "Which database?")


def test_a_failure_is_told_in_place_of_the_end_of_its_turn() -> None:
    told = Told()
    told.of("UserPromptSubmit")
    assert kinds(told.of("PostToolUseFailure", tool_name="Bash", error="Exit code 1")) == ["tool-failed"]
    (failed,) = told.of("StopFailure", error="overloaded")
    assert (failed.kind, failed.what) == ("failed", "overloaded")


def test_a_death_is_the_servers_word() -> None:
    told = Told()
    told.of("SessionStart")
    assert kinds(told.of("SessionDead")) == []  # a client said so
    assert kinds(told.of("SessionDead", _session_pid=4)) == ["died"]


def test_history_is_not_told_and_what_is_new_of_an_old_session_is() -> None:
    told = Told(after=2)
    assert kinds(told.of("UserPromptSubmit", "PermissionRequest")) == []
    assert kinds(told.of("PermissionRequest", session="s2")) == ["waits"]
    assert kinds(told.of("Stop")) == ["finished"]


def test_another_database_begins_with_its_own_history() -> None:
    told = Told(after=100)
    assert kinds(told.of("PermissionRequest")) == []
    told.occasions.start_over(1)
    assert kinds(told.of("Stop")) == ["finished"]


def test_only_what_is_asked_for_is_told() -> None:
    told = Told("died")
    assert kinds(told.of("UserPromptSubmit", "PermissionRequest")) == []


def test_a_wait_that_is_over_is_not_so_any_more() -> None:
    told = Told()
    (waits,) = told.of("PermissionRequest", tool_name="Bash")
    assert told.occasions.still(waits)
    told.of("PostToolUse", tool_name="Bash")
    assert not told.occasions.still(waits)
    (again,) = told.of("PermissionRequest", tool_name="Bash")
    assert told.occasions.still(again)
    assert not told.occasions.still(waits)
    (failed,) = told.of("PostToolUseFailure", tool_name="Bash")
    assert told.occasions.still(failed)


def test_one_message_names_all_and_counts_the_rest() -> None:
    told = Told()
    found = []
    for number in range(LINES + 2):
        found += told.of("PermissionRequest", session=f"session-{number}", tool_name="Bash\x1b[2J")
    message = compose(found)
    assert message.title == f"{LINES + 2} \u00d7 waits for you"
    assert message.text.splitlines()[-1] == "and 2 more"
    assert "\x1b" not in message.text
    assert "\\x1b" in message.text
    assert message.urgent
    assert len(message.document()["occasions"]) == LINES + 2  # type: ignore[arg-type]
    one = compose(told.of("Stop", cwd="/home/me/proj", session="0a1b2c3d-1111", last_assistant_message="Done."))
    assert (one.title, one.text, one.urgent) == ("proj (0a1b2c3d) has finished", "root: Done.", False)
