"""The database against a list."""

from __future__ import annotations

import tempfile
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from observatory.events import Event
from observatory.store import Query, database, open_store

NAMES = st.sampled_from(["A", "B"])
SOME = st.sampled_from([None, "x", "y"])
UIDS = st.sampled_from([None, 0, 1000])
VALUES = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True).map(tuple)
TIMES = st.none() | st.integers(0, 60)
QUERIES = st.builds(
    Query, UIDS, VALUES, VALUES, st.lists(NAMES, max_size=2, unique=True).map(tuple), VALUES, TIMES, TIMES
)
EVENTS = st.lists(st.tuples(NAMES, UIDS, SOME, SOME), max_size=40)


def wanted(query: Query, event: Event) -> bool:
    sessions = (*query.session, *query.beginning)  # each is one letter, and so is each session's id
    return (
        (not sessions or event.session in sessions)
        and (not query.tool or event.tool in query.tool)
        and (not query.name or event.name in query.name)
        and query.uid in {None, event.uid}
        and (query.since is None or event.time >= query.since)
        and (query.until is None or event.time < query.until)
    )


@settings(max_examples=60)
@given(
    st.lists(st.tuples(EVENTS, st.booleans(), st.integers(0, 5)), min_size=1, max_size=5),
    QUERIES,
    st.integers(0, 60),
    st.integers(1, 30),
    st.integers(1, 7),
)
def test_whatever_is_indexed_and_forgotten_the_same_is_found(
    batches: list[tuple[list[tuple[str, int | None, str | None, str | None]], bool, int]],
    query: Query,
    place: int,
    limit: int,
    window: int,
) -> None:
    with tempfile.TemporaryDirectory() as directory, mock.patch.object(database, "WINDOW", window):
        store = open_store(f"{directory}/db")
        try:
            kept: list[Event] = []
            last = 0
            for facts, indexed, forget in batches:
                events = [
                    Event(last + n, last + n, name, uid, session, tool, b"%d" % (last + n))
                    for n, (name, uid, session, tool) in enumerate(facts, 1)
                ]
                if events:
                    store.append(events)
                    last = events[-1].id
                    kept += events
                if indexed:
                    store.index()
                if forget:
                    store.forget(forget)
                    kept = [event for event in kept if event.id >= forget or event.id == last]
            matching = [event for event in kept if wanted(query, event)]

            lines: list[bytes] = []
            after = place
            while after < store.last_id and len(lines) < limit:
                rows = store.forward(query, after, store.last_id, limit - len(lines))
                lines += rows.lines
                assert after < rows.seen
                after = rows.seen
            assert lines == [event.line for event in matching if event.id > place][:limit]

            ids: list[int] = []
            below = place
            while below > 1 and len(ids) < limit:
                found = store.backward(query, below, limit - len(ids))
                ids += found.ids
                assert found.seen < below
                below = found.seen
            assert ids == [event.id for event in reversed(matching) if event.id < place][:limit]
        finally:
            store.close()
