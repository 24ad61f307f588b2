"""A question to the server's database itself has the same answer as one about the events that the server hands out."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from observatory.errors import ObservatoryError
from observatory.events import compose, take_apart, timestamp
from observatory.identity import PeerCredentials
from observatory.questions.database import opened
from observatory.questions.tables import COLUMNS, asked, columns_of, loaded
from observatory.store import Query, open_store
from tests.helpers.directories import short_directory
from tests.helpers.stored_lines import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observatory.client.client import Parameters
    from observatory.store import Store

NOON = 1_767_268_800_000_000
SAID: tuple[tuple[int | None, str, dict[str, Any]], ...] = (
    (1, "SessionStart", {"session_id": "abc", "cwd": "/p", "line": "its own"}),
    (1, "PostToolUse", {"session_id": "abc", "tool_name": "Bash", "duration_ms": 12, "agent_id": "a1"}),
    (2, "PostToolUse", {"session_id": "ab", "tool_name": "O'Reilly", "duration_ms": 2.5, "agent_id": 7}),
    (None, "PostToolUse", {"session_id": "x" * 300, "tool_name": "", "duration_ms": 1e40, "cwd": ["/p"]}),
    (1, "Stop", {"session_id": "\u00e9\u0000\u20ac", "tool_name": 5, "duration_ms": "long", "_host": "forged"}),
)


@dataclass
class Server:
    """What a client says of a server."""

    file: tuple[str, str] | None

    def database_file(self) -> tuple[str, str] | None:
        return self.file


@pytest.fixture(params=[0, 3, 5], ids="indexed {}".format)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with short_directory() as folder:
        store = open_store(f"{folder}/with ? and #.db")
        for number, (uid, name, said) in enumerate(SAID, 1):
            peer = PeerCredentials(1, uid, uid, ())
            time = NOON + number * 1_000_001
            body = json.dumps(said).encode()
            store.append([compose(number, time, timestamp(time), name, peer, take_apart(body))])
            if number == request.param:
                store.index()
        assert store.unindexed == len(SAID) - request.param
        yield store
        store.close()


QUESTIONS = (
    "SELECT * FROM events ORDER BY id",
    "SELECT tool, count(*), sum(duration_ms) FROM events GROUP BY tool ORDER BY tool",
    "SELECT max(id), min(time) FROM events WHERE agent IS NULL AND project IS NULL",
    "SELECT json_extract(line, '$.duration_ms') FROM events ORDER BY 1",
)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"event": ["PostToolUse", "Stop"]},
        {"tool": ["O'Reilly"], "session": "ab"},
        {"session": "ab", "beginning": ["abc", "\u00e9"]},
        {"beginning": "ab"},
        {"since": "2026-01-01T12:00:02.000002Z", "until": "2026-01-01T12:00:04.000004Z"},
        {"user": "1", "after": "1"},
    ],
    ids=str,
)
def test_the_answer_is_the_same(store: Store, parameters: Parameters) -> None:
    user, after = (parameters.get(name) for name in ("user", "after"))
    query = Query.of(parameters, None if user is None else int(str(user)))
    selected = lines(store, query, after=int(str(after or 0)))
    assert selected
    for sql in QUESTIONS:
        own = opened(Server((store.path, store.identity)), parameters, columns_of(sql))  # type: ignore[arg-type]
        assert own is not None
        with contextlib.closing(own), contextlib.closing(loaded(selected, sql)) as fetched:
            headings, answer = asked(own, sql)
            wanted, due = asked(fetched, sql)
            assert (headings, list(answer)) == (wanted, list(due)), sql


def test_nothing_but_reading_is_allowed(store: Store) -> None:
    own = opened(Server((store.path, store.identity)), {}, COLUMNS)  # type: ignore[arg-type]
    assert own is not None
    for sql in ("DELETE FROM event", "DROP VIEW events", "PRAGMA query_only = 0", "ATTACH '/tmp/x' AS x"):
        with pytest.raises(ObservatoryError, match="only reading is allowed"):
            list(asked(own, sql)[1])
    assert len(lines(store)) == len(SAID)
    own.close()


def test_what_is_another_s_or_another_file_is_not_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    here = store.path
    os.symlink(here, f"{here}.link")
    for file in (None, (here, "another"), (f"{here}.gone", store.identity), (f"{here}.link", store.identity)):
        assert opened(Server(file), {}, COLUMNS) is None  # type: ignore[arg-type]
    assert opened(Server((here, store.identity)), {"limit": "5"}, COLUMNS) is None  # type: ignore[arg-type]
    monkeypatch.setattr(os, "geteuid", lambda: 61_235)
    assert opened(Server((here, store.identity)), {}, COLUMNS) is None  # type: ignore[arg-type]
