"""One filter, twice: what SQLite finds among stored events is what Python lets through of those that come."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from observatory.events import Event
from observatory.store import Query, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.store import Store

ALIKE = (
    ("a", "A", "a ", "a\0", "a\0b", "%", "_"),
    ("\u00e9", "e\u0301", "\u00c9", "\ufffd", "\U0001f600"),
    ("1", "1.0", "01", "NULL"),
    ("\ud7ff", "\ud7ffa", "\ue000", "a\U0010ffff", "a\U0010ffffb", "\U0010ffff"),
)
"""What a database could take for one another: by case, by a zero byte or a space at the end, by composition, as
numbers."""
UIDS = (0, 1, 65534, 2**32 - 2)


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[Event], list[Query]]:
    """Events, and queries: for each value in each field, which some of the events have, and for several at once."""
    anything = st.text(st.characters(codec="utf-8"), min_size=1, max_size=3)
    words = (*draw(st.sampled_from(ALIKE)), draw(anything))
    texts, uids = st.sampled_from(words), st.sampled_from(UIDS)
    facts = draw(st.lists(st.tuples(texts, st.none() | uids, st.none() | texts, st.none() | texts), max_size=12))
    events = [Event(number, number, *fact, b"%d" % number) for number, fact in enumerate(facts, 1)]
    fields = ("session", "tool", "name", "beginning")
    alone: list[dict[str, Any]] = [{field: (word,)} for field in fields for word in words]
    alone += [{"uid": uid} for uid in (*UIDS, -1)]
    single = [Query(**given) for given in alone]
    tuples, times = st.lists(texts, max_size=2, unique=True).map(tuple), st.none() | st.integers(0, 13)
    several = st.builds(Query, st.none() | uids, tuples, tuples, tuples, tuples, times, times)
    return events, [*single, *draw(st.lists(several, max_size=10))]


@settings(max_examples=50)
@given(asked(), st.integers(0, 12))
def test_what_sqlite_finds_is_what_python_lets_through(drawn: tuple[list[Event], list[Query]], indexed: int) -> None:
    events, queries = drawn
    with tempfile.TemporaryDirectory() as directory:
        store = open_store(f"{directory}/db")
        try:
            for batch in filter(None, (events[:indexed], events[indexed:])):
                for query in queries:
                    agree(store, events[: store.last_id], query)
                store.index()
                store.append(batch)
            for query in queries:
                agree(store, events, query)
            store.index()
            for query in queries:
                agree(store, events, query)
        finally:
            store.close()


def agree(store: Store, events: list[Event], query: Query) -> None:
    """A query finds those of the stored events that pass its predicate, and in their order."""
    passes = query.predicate()
    wanted = [event.id for event in events if passes(event)]
    assert found(store, query) == (wanted, wanted[::-1]), query


def found(store: Store, query: Query) -> tuple[list[int], list[int]]:
    """The ids of what is found, from the oldest on and from the newest on."""

    def forward(place: int) -> tuple[list[int], int]:
        rows = store.forward(query, place, store.last_id, 100)
        return [int(line) for line in rows.lines], rows.seen

    def backward(place: int) -> tuple[list[int], int]:
        found = store.backward(query, place, 100)
        return found.ids, found.seen

    return (
        slices(forward, 0, lambda place: place < store.last_id),
        slices(backward, store.last_id + 1, lambda place: place > 1),
    )


def slices(read: Callable[[int], tuple[list[int], int]], place: int, more: Callable[[int], bool]) -> list[int]:
    ids: list[int] = []
    while more(place):
        piece, place = read(place)
        ids += piece
    return ids
