"""Which events the terminal shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.feed.find import Filter, read_filter
from observatory.feed.row import Row, row
from observatory.watch import window as window_module
from observatory.watch.window import Window

NOW = datetime(2026, 1, 1, 2, tzinfo=UTC)


def line(place: int, event: str = "Stop", **fields: Any) -> Row:
    return row(place, {"_event": event, "_ts": "2026-01-01T00:00:00Z", "_peer_uid": 3_000_000_000, **fields})


def places(window: Window) -> list[int]:
    return [window[index].place for index in range(len(window))]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("event=stop", [4, 1]),
        ("tool=ba", [2]),
        ("NPM", [2]),
        ("npm tool=edit", []),
        ("session=ab event=pre", [3, 2]),
        ("user=3000000000", [4, 3, 2, 1]),
        ("a=b", [4]),
        ("tool=ba tool=edit", [3, 2]),
        ("event=stop since=2026-01-01T01:00+01:00", [4, 1]),
        ("since=1h", []),
        ("until=1h tool=edit", [3]),
        ("until=2026-01-01", []),
        ("since=soon", []),
        ("until=soon", []),
    ],
)
def test_a_filter_leaves_what_it_names(text: str, found: list[int]) -> None:
    window = Window()
    window.choose(read_filter(text, NOW))
    window.append(
        [
            line(1),
            line(2, "PreToolUse", tool_name="Bash", session_id="abc", tool_input={"command": "npm test"}),
            line(3, "PreToolUse", tool_name="Edit", session_id="abd"),
            line(4, message="with a=b in it"),
        ]
    )
    assert places(window) == found


@given(st.text())
def test_every_text_is_a_filter_and_each_row_either_matches_or_not(text: str) -> None:
    assert read_filter(text, NOW).matcher()(line(1, message="hello")) in {True, False}


@given(st.lists(st.sampled_from(["a", "b"]), max_size=40), st.integers(0, 40))
def test_filtering_before_and_after_the_rows_come_is_the_same(names: list[str], cut: int) -> None:
    rows = [line(place, name) for place, name in enumerate(names, 1)]
    early, late = Window(), Window()
    early.choose(Filter((("event", ("a",)),)))
    for window in (early, late):
        window.append(rows[:cut])
        window.append(rows[cut:])
    late.choose(Filter((("event", ("a",)),)))
    assert places(early) == places(late) == [r.place for r in reversed(rows) if r.event == "a"]


def test_what_only_the_whole_event_has_is_shown_once_it_was_found_there() -> None:
    window = Window()
    window.append([line(1, "PreToolUse", tool_name="Bash"), line(2, "PreToolUse", tool_name="Edit"), line(3)])
    window.choose(read_filter("deep tool=e", NOW))
    assert places(window) == []
    window.found([1, 2])
    assert places(window) == [2], "the others are not of that tool"
    window.choose(read_filter("deeper", NOW))
    assert places(window) == []
    assert window.places == (0, 3)


def test_it_holds_still_and_counts_what_is_new() -> None:
    window = Window()
    window.append([line(1), line(2)])
    window.hold(True)
    window.append([line(3)])
    assert (places(window), window.waiting, window.index_of(1), window.index_of(3)) == ([2, 1], 1, 1, None)
    window.hold(False)
    assert places(window) == [3, 2, 1]


def test_scrolling_to_the_top_does_not_end_a_pause() -> None:
    window = Window()
    window.append([line(1)])
    window.pause(True)
    window.append([line(2)])
    window.hold(False)
    assert places(window) == [1]
    window.pause(False)
    assert places(window) == [2, 1]


def test_old_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "SLACK", 10)
    window = Window(kept=100)
    window.choose(Filter((("event", ("stop",)),)))
    for place in range(1000):
        window.append([line(place)])
    assert 100 <= window.total <= 110
    assert places(window)[-1] == 1000 - window.total
