"""The feed over a source that the test controls: nothing lost, nothing twice, bounded, and every session's card."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.feed import cards as cards_module
from observatory.feed import feed as feed_module
from observatory.feed.cards import Cards
from observatory.feed.feed import Feed
from observatory.feed.row import Kind, row
from observatory.feed.source import SourceError, is_of_session, place_of
from tests.helpers.deadline import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def event_line(place: int, name: str = "Stop", **fields: Any) -> bytes:
    head = {"_id": place, "_ts": f"2026-01-01T00:00:{place % 60:02d}.{place:06d}Z", "_event": name, "_peer_uid": 4}
    return json.dumps({**head, **fields}, separators=(",", ":")).encode()


class Scripted:
    """A source that plays its acts one after the other: each a list of lines, and then it ends."""

    name = "the server"

    def __init__(self, *acts: list[bytes]) -> None:
        self.acts = list(acts)
        self.kept: dict[int, bytes] = {}
        self.asked: list[int | None] = []
        self.over = threading.Event()
        self.for_ever = threading.Event()

    def newest(self) -> int:
        return max(self.kept, default=0)

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        self.asked.append(after)
        if not self.acts:
            self.over.set()
            self.for_ever.wait()
            return
        lines = self.acts.pop(0)
        for line in lines:
            self.kept[place_of(line)] = line
            yield place_of(line), line
        if self.acts:
            raise SourceError("it broke")

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        return ((place, line) for place, line in sorted(self.kept.items()) if after < place <= through)

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Feed]]:
    """Play a source to its end, without the pauses between its acts."""
    monkeypatch.setattr(feed_module, "PATIENCE", (0.0, 0.0))
    sources: list[Scripted] = []

    def play(source: Scripted, kept: int = 1000) -> Feed:
        sources.append(source)
        feed = Feed(source, kept)
        feed.start()
        assert source.over.wait(PATIENCE)
        return feed

    yield play
    for source in sources:
        source.for_ever.set()


def test_an_event_is_of_a_session_of_its_user_on_its_host_whose_id_may_be_cut() -> None:
    long = "x" * 90
    line = event_line(1, session_id=long)
    assert is_of_session(None, 4, long[:80])(line)
    for host, uid, session in ((None, 4, long), (None, 5, long[:80]), ("web", 4, long[:80]), (None, None, long[:80])):
        assert not is_of_session(host, uid, session)(line)
    assert not is_of_session(None, 4, "7")(event_line(1, session_id=7))


def test_a_feed_goes_on_after_the_last_event_that_it_has(played: Callable[..., Feed]) -> None:
    source = Scripted([event_line(1), event_line(2)], [event_line(3)], [])
    feed = played(source)
    assert source.asked == [None, 2, 3, 3]
    assert [line.place for line in feed.news().rows] == [1, 2, 3]


def test_a_reader_gets_each_row_once(played: Callable[..., Feed]) -> None:
    feed = played(Scripted([event_line(n) for n in range(1, 51)]))
    first = feed.news(limit=10)
    assert [line.place for line in first.rows] == list(range(41, 51))
    assert not first.gap
    assert feed.news(first.place, first.version, first.generation).rows == []
    assert [line.place for line in feed.news(45, 0, first.generation).rows] == [46, 47, 48, 49, 50]
    assert [line.place for line in feed.before(41, 3)] == [38, 39, 40]


def test_memory_is_bounded_and_who_comes_too_late_is_told_of_the_gap(
    played: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "SLACK", 10)
    feed = played(Scripted([event_line(n) for n in range(1, 1000)]), kept=100)
    news = feed.news(5, 0, 1)
    assert 100 <= len(news.rows) <= 110
    assert news.gap
    assert not feed.news(news.rows[50].place, 0, 1).gap


def test_another_database_is_not_taken_for_the_same(played: Callable[..., Feed]) -> None:
    source = Scripted([event_line(1), event_line(2)], [event_line(1, "Start")], [])
    real = source.follow

    def follow(after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        if len(source.asked) == 1:
            source.kept.clear()
        return real(after, limit)

    def newest() -> int:
        if len(source.asked) == 1:
            source.kept.clear()
        return max(source.kept, default=0)

    source.follow, source.newest = follow, newest  # type: ignore[method-assign]
    feed = played(source)
    news = feed.news(2, 1, 1)
    assert news.fresh
    assert [line.event for line in news.rows] == ["Start"]


def test_another_database_is_known_however_many_events_come_while_it_is_looked_at(played: Callable[..., Feed]) -> None:
    new = [event_line(place, "Start") for place in range(1, 5)]
    source = Scripted([event_line(1), event_line(2), event_line(3)], new, [])
    look, grow = (source.newest, source.between), iter((new[:2], new))

    def looked(question: int, *arguments: int) -> Any:
        if len(source.asked) == 1:  # each question meets a database that has grown since the one before
            source.kept = {place_of(line): line for line in next(grow, new)}
        return look[question](*arguments)

    source.newest = lambda: looked(0)  # type: ignore[method-assign]
    source.between = lambda after, through: looked(1, after, through)  # type: ignore[method-assign]
    news = played(source).news(3, 1, 1)
    assert news.fresh
    assert [line.place for line in news.rows] == [1, 2, 3, 4]


def test_what_is_wrong_is_said_in_a_sentence(played: Callable[..., Feed]) -> None:
    feed = played(Scripted([b'{"_id":1,nonsense'], []))
    assert feed.news().rows == []
    with pytest.raises(SourceError, match="not made of events"):
        place_of(b"HTTP/1.1 200 OK")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "_ts",
        "_event",
        "_peer_uid",
        "_host",
        "session_id",
        "tool_name",
        "tool_input",
        "cwd",
        "prompt",
        "duration_ms",
        "error",
        "delta",
    ]
)


@given(st.dictionaries(FIELDS, JSON))
def test_every_event_has_a_row_and_no_row_is_long(fields: dict[str, Any]) -> None:
    made = row(7, fields)
    assert made.place == 7
    for text in (made.event, made.session, made.tool, made.what, made.project, made.user):
        assert len(text) <= 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PreToolUse", Kind.TOOL),
        ("SessionDead", Kind.FAILURE),
        ("PermissionRequest", Kind.WAITING),
        ("New", Kind.OTHER),
    ],
)
def test_an_event_is_of_a_kind(name: str, kind: Kind) -> None:
    assert row(1, {"_event": name}).kind is kind


def add(cards: Cards, place: int, name: str, **fields: Any) -> None:
    said = json.loads(event_line(place, name, **fields))
    cards.add(row(place, said), said)


def test_a_card_says_what_its_session_does_and_since_when() -> None:
    cards = Cards()
    add(cards, 1, "SessionStart", session_id="s", cwd="/home/x")
    add(cards, 2, "PreToolUse", session_id="s", tool_name="Bash", tool_use_id="a", tool_input={"command": "ls"})
    (card,) = cards.since(0)
    assert (card.state, card.tool, card.what, card.project, card.events) == (
        "running a tool",
        "Bash",
        "ls",
        "/home/x",
        2,
    )
    since = card.since
    version = cards.version
    add(cards, 3, "PreToolUse", session_id="s", tool_name="Bash", tool_use_id="b")
    (card,) = cards.since(version)
    assert card.since == since
    assert cards.since(cards.version) == []


def test_users_and_hosts_with_the_same_session_id_have_their_own_cards() -> None:
    cards = Cards()
    for host, uid in ((None, 1), (None, 2), ("web1", 1)):
        said = {"_id": 1, "_ts": "2026-01-01T00:00:00Z", "_event": "Stop", "_peer_uid": uid, "session_id": "s"}
        if host:
            said["_host"] = host
        cards.add(row(1, said), said)
    assert [(card.host, card.uid) for card in cards.since(0)] == [(None, 1), (None, 2), ("web1", 1)]


def test_a_session_of_weeks_and_a_flood_of_sessions_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards_module, "MOST", 10)
    cards = Cards()
    for place in range(1000):
        add(cards, place, "PreToolUse", session_id="long", tool_name="Bash", tool_use_id="u", prompt="x" * 9000)
    (card,) = cards.since(0)
    assert (card.events, card.state) == (1000, "running a tool")
    for place in range(20):
        add(cards, place, "Stop", session_id=f"s{place}")
    assert [card.session for card in cards.since(0)] == [f"s{n}" for n in range(10, 20)]


def test_a_very_long_session_id_is_a_session_too() -> None:
    cards = Cards()
    add(cards, 1, "Stop", session_id="x" * 5000)
    assert cards.since(0)[0].state == "idle"
