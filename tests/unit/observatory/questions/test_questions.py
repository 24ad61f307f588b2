"""What recorded events say of files, of time, and to SQL; whatever their senders put into them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.errors import ExitStatus, ObservatoryError
from observatory.questions.changes import TOOLS, change
from observatory.questions.durations import Durations, bar, durations
from observatory.questions.tables import COLUMNS, asked, loaded, rows, shown_to


def edited(tool: str, given: Any, done: Any = None) -> dict[str, Any]:
    return {"_event": "PostToolUse", "tool_name": tool, "tool_input": given, "tool_response": done}


def test_the_clients_own_account_of_a_change_goes_before_what_was_asked_for() -> None:
    hunk = {"oldStart": 7, "oldLines": 2, "newStart": 7, "newLines": 3, "lines": [" a", "-b", "+c", "+d"]}
    found = change(
        edited("Edit", {"file_path": "/a", "old_string": "b", "new_string": "x"}, {"structuredPatch": [hunk]})
    )
    assert found is not None
    assert (found.path, found.added, found.removed) == ("/a", 2, 1)
    assert found.lines == ("@@ -7,2 +7,3 @@", " a", "-b", "+c", "+d")


@pytest.mark.parametrize(
    ("tool", "asked_for", "lines"),
    [
        (
            "Edit",
            {"file_path": "/a", "old_string": "a\nb", "new_string": "a\nc"},
            ("@@ -1,2 +1,2 @@", " a", "-b", "+c"),
        ),
        ("Write", {"file_path": "/a", "content": "x\ny\n"}, ("@@ -0,0 +1,2 @@", "+x", "+y")),
        ("NotebookEdit", {"notebook_path": "/a", "new_source": "x"}, ("@@ -0,0 +1 @@", "+x")),
        (
            "MultiEdit",
            {
                "file_path": "/a",
                "edits": [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": ""}],
            },
            ("@@ -1 +1 @@", "-a", "+b", "@@ -1 +0,0 @@", "-c"),
        ),
    ],
)
def test_else_it_is_what_was_asked_for(tool: str, asked_for: dict[str, Any], lines: tuple[str, ...]) -> None:
    found = change(edited(tool, asked_for))
    assert found is not None
    assert (found.path, found.lines) == ("/a", lines)


def test_long_texts_are_not_compared() -> None:
    found = change(edited("Write", {"file_path": "/a", "content": "x\n" * 30_000}))
    assert found is not None
    assert (found.added, found.removed, len(found.lines)) == (30_000, 0, 30_000)


def test_what_changes_no_file_is_no_change() -> None:
    for event in (edited("Read", {"file_path": "/a"}), {**edited("Edit", {"file_path": "/a"}), "_event": "PreToolUse"}):
        assert change(event) is None


def told(lines: list[bytes], sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    with contextlib.closing(loaded(lines, sql)) as connection:
        headings, answer = asked(connection, sql)
        return headings, list(answer)


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["file_path", "edits", "lines", "structuredPatch", "old_string", "content"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
events = st.fixed_dictionaries(
    {"_event": st.just("PostToolUse"), "tool_name": st.one_of(st.sampled_from(TOOLS), values), "tool_input": values},
    optional={"tool_response": values, "duration_ms": values, "session_id": values, "_peer_uid": values, "_id": values},
)


@given(events)
def test_every_event_is_taken(event: dict[str, Any]) -> None:
    change(event)
    line = json.dumps(event).encode()
    durations([line])
    (row,) = rows([line])
    assert len(row) == len(COLUMNS)
    headings, answer = told([line], "SELECT * FROM events")
    assert headings == COLUMNS
    assert len(list(answer)) == 1


def call(tool: str, took: object) -> bytes:
    return json.dumps({"tool_name": tool, "duration_ms": took}).encode()


def test_the_median_and_the_95th_percentile_are_durations_that_there_were() -> None:
    lines = [call("Bash", number) for number in range(1, 101)] + [
        call("Read", 7),
        call("Read", "x"),
        call("Read", None),
    ]
    assert durations(lines) == [Durations("Bash", 100, 50, 95, 100), Durations("Read", 1, 7, 7, 7)]
    assert durations([]) == []


def test_a_bar_is_as_wide_as_the_slowest_at_most_and_grows_with_time() -> None:
    slow, quick = Durations("a", 9, 1000, 100_000, 1), Durations("b", 9, 10, 100, 1)
    assert len(bar(slow, 100_000, 40)) == 40
    assert bar(quick, 100_000, 40) == "\u2588" * 8 + "\u2591" * 8
    assert bar(Durations("c", 1, 0, 0, 0), 0, 40) == ""


LINES = [
    json.dumps(
        {"_id": number, "_ts": "2026-01-31T13:00:00.000000Z", "_event": "Stop", "_peer_uid": 7, "n": [number]}
    ).encode()
    for number in range(3)
]


def test_sql_is_asked_about_whole_events() -> None:
    headings, answer = told(
        LINES, "SELECT id, json_extract(line, '$.n[0]') AS n FROM events WHERE uid = 7 ORDER BY id DESC"
    )
    assert (headings, list(answer)) == (("id", "n"), [(2, 2), (1, 1), (0, 0)])
    _, answer = told(
        LINES, "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 5) SELECT max(x) FROM c"
    )
    assert list(answer) == [(5,)]


def test_only_what_a_question_is_about_is_kept_of_events() -> None:
    for sql, kept in (
        ("SELECT uid FROM events", (None, 7, None)),
        ("SELECT line, id FROM events", (0, None, LINES[0])),
    ):
        connection = loaded(LINES, sql)
        assert connection.execute("SELECT id, uid, CAST(line AS BLOB) FROM events LIMIT 1").fetchone() == kept
        connection.close()
    assert told(LINES, "SELECT count(*) AS n FROM events") == (("n",), [(3,)])
    assert "events" in told(LINES, "EXPLAIN QUERY PLAN SELECT uid FROM events")[1][0][3]


def test_an_interrupt_ends_a_question_also_while_an_event_is_read_for_it() -> None:
    def read(line: bytes) -> object:
        raise KeyboardInterrupt

    with contextlib.closing(loaded([], "SELECT 1")) as connection:
        connection.create_function("read", 1, shown_to(connection, read))
        with pytest.raises(KeyboardInterrupt):
            list(asked(connection, "SELECT read(x'00')")[1])


def test_what_is_no_question_is_refused_before_any_event_is_read() -> None:
    def read(line: bytes) -> bytes:
        raise AssertionError("an event was read")

    with pytest.raises(ObservatoryError, match="no such column: nowhere"):
        loaded(map(read, LINES), "SELECT nowhere FROM events")


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("DELETE FROM events", "only reading is allowed"),
        ("ATTACH '/etc/passwd' AS p", "only reading is allowed"),
        ("PRAGMA writable_schema = 1", "only reading is allowed"),
        ("CREATE TABLE x (y)", "only reading is allowed"),
        ("SELEC 1", "syntax error"),
        ("SELECT none FROM events", "no such column: none"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("", "begin with SELECT"),
    ],
)
def test_whatever_is_no_reading_is_refused_with_the_reason(sql: str, why: str) -> None:
    with pytest.raises(ObservatoryError, match=why) as caught:
        list(told(LINES, sql)[1])
    assert caught.value.status is ExitStatus.USAGE
