"""A text anywhere in an event, and the newest events that a filter means."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.feed.find import read_filter
from observatory.feed.search import STEP, filtering, matcher, newest, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, 2, tzinfo=UTC)


def line(place: int, **fields: Any) -> bytes:
    head = {"_id": place, "_ts": "2026-01-01T01:30:00.000000Z", "_event": "PreToolUse", "_peer_uid": 3_000_000_000}
    return json.dumps({**head, **fields}, ensure_ascii=False, separators=(",", ":")).encode()


class Kept:
    """A source of events that are there."""

    name = "kept"

    def __init__(self, lines: dict[int, bytes]) -> None:
        self.kept = lines
        self.asked: list[tuple[int, int]] = []

    def newest(self) -> int:
        return max(self.kept, default=0)

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        self.asked.append((after, through))
        return ((place, text) for place, text in sorted(self.kept.items()) if after < place <= through)


@pytest.mark.parametrize("text", ['say "grüße" twice', "npm test", "a\nb", "\u20ac", "mañana", "c:\\x"])
def test_case_and_escapes_do_not_count(text: str) -> None:
    for said in (text, text.upper() if len(text.upper()) == len(text) else text):
        escaped = json.dumps({"a": [{"b": f"x{said}y"}]}).encode()
        plain = json.dumps({"a": [{"b": f"x{said}y"}]}, ensure_ascii=False).encode()
        assert matcher(text)(escaped), said
        assert matcher(text)(plain), said
    assert not matcher(text)(b'{"a":"something else"}')


@given(st.text(max_size=4), st.text(max_size=12))
def test_every_text_is_looked_for_in_every_event(text: str, said: str) -> None:
    found = matcher(text.lower())(json.dumps({"a": said}, ensure_ascii=False).encode(errors="replace"))
    assert isinstance(found, bool)


def test_the_newest_places_are_looked_through_first() -> None:
    source = Kept({place: line(place, n="hit" if place % 2 else "no") for place in range(1, 8)})
    assert list(steps(source, "hit", 0, 7, 3)) == [[5, 7], [3], [1]]
    assert source.asked == [(4, 7), (1, 4), (0, 1)]
    assert list(steps(source, "hit", 5, 7, 3)) == [[7]]
    assert list(steps(source, "hit", 7, 7, 3)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2, 3]),
        ("deep", [1, 3]),
        ("tool=ba deep", [1]),
        ("tool=ba tool=ed DEEP", [1, 3]),
        ("event=pre since=1h", [1, 2, 3]),
        ("until=1h", []),
        ("session=ab", [3]),
        ("user=3000000000 host=web", []),
        ("a=b", []),
    ],
)
def test_a_filter_means_the_same_of_whole_events_as_of_rows(text: str, found: list[int]) -> None:
    lines = [
        line(1, tool_name="Bash", tool_response={"x": [{"y": "Deep"}]}),
        line(2, tool_name="Bash"),
        line(3, tool_name="Edit", session_id="abc", deep=1),
    ]
    matches = filtering(read_filter(text, NOW))
    assert [place for place, each in enumerate(lines, 1) if matches(each)] == found


@pytest.mark.parametrize("most", [0, 1, 3, 5, 100])
def test_the_newest_that_match_are_found_without_reading_what_is_older(most: int) -> None:
    last = 3 * STEP
    hits = [5, STEP - 1, STEP, STEP + 1, last]
    source = Kept({place: line(place, n="hit" if place in hits else "no") for place in (*hits, 7, STEP + 9, last - 1)})

    def lines(query: dict[str, str | list[str]]) -> Iterator[bytes]:
        assert query["event"] == "Stop"
        after, limit = int(str(query["after"])), int(str(query["limit"]))
        found = [text for _, text in source.between(after, 1 << 40)]
        return iter(found[:limit])

    found = newest(lines, {"event": "Stop"}, last, most, filtering(read_filter("hit", NOW)))
    assert [json.loads(each)["_id"] for each in found] == hits[len(hits) - min(most, len(hits)) :]
    assert len(source.asked) == {0: 0, 1: 1, 3: 3}.get(most, 3)
