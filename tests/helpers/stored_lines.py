"""What a database holds, read slice by slice."""

from __future__ import annotations

from observatory.store import Query, Store

ALL = 1 << 40


def lines(store: Store, query: Query = Query(), after: int = 0, limit: int = ALL) -> list[bytes]:  # noqa: B008 - frozen
    """Everything, slice by slice."""
    found: list[bytes] = []
    while after < store.last_id and len(found) < limit:
        rows = store.forward(query, after, store.last_id, limit - len(found))
        assert rows.seen > after or rows.lines, "a slice gets further"
        found += rows.lines
        after = rows.seen
    return found
