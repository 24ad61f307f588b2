"""Subjects, message ids and the cursor of a forwarder."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.errors import ObservatoryError
from observatory.feed.source import SourceError
from observatory.forward.backoff import Backoff
from observatory.forward.cursor import Cursor, Position
from observatory.forward.history import begin
from observatory.forward.nats_subject import address, host_of, is_event, note_subject, text, token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = st.text(st.characters(codec="utf-8"))


@given(NAMES)
def test_every_text_is_one_token_and_comes_back(name: str) -> None:
    made = token(name)
    assert made
    assert made.isascii()
    assert made.isprintable()
    assert not set(made) & set(" .*>\t")
    assert text(made) == name or name == "\0"


@given(NAMES, st.one_of(st.none(), st.integers(0, 2**32 - 2)), st.integers(1, 2**60))
def test_an_address_has_four_tokens_and_names_its_host(event: str, uid: int | None, number: int) -> None:
    line = msgspec.json.encode({"_id": number, "_ts": "2026-01-01T00:00:00.5Z", "_event": event, "_peer_uid": uid})
    made = address("web1", "da7a", line)
    parts = made.subject.split(".")
    assert len(parts) == 5
    assert parts[:3] == ["observatory", "web1", "unknown" if uid is None else str(uid)]
    assert parts[4] == "da7a"
    assert host_of(made.subject) == "web1"
    assert is_event(made.subject)
    assert made.message == f"web1.da7a.{number}.2026-01-01T00:00:00.5Z"


def test_what_a_forwarder_notes_is_no_event() -> None:
    assert not is_event(note_subject(token("web.paris")))
    assert host_of(note_subject(token("web.paris"))) == "web.paris"


def test_the_same_number_in_a_new_database_or_at_another_time_is_another_message() -> None:
    lines = [b'{"_id":1,"_ts":"%b","_event":"x"}' % ts for ts in (b"2026-01-01T00:00:00Z", b"2026-01-02T00:00:00Z")]
    assert len({address("h", database, line).message for line in lines for database in ("a", "b")}) == 4


def test_a_cursor_is_kept_and_is_one_processs(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "cursor"
    with Cursor(path) as cursor:
        assert cursor.position == Position()
        cursor.position = Position("da7a", 7, "t")
        with pytest.raises(ObservatoryError, match="another observatory forward works with"), Cursor(path):
            pass
    with Cursor(path) as cursor:
        assert cursor.position == Position("da7a", 7, "t")
        assert cursor.former == "da7a"


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"id":"x"}'])
def test_a_broken_cursor_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cursor"
    path.write_bytes(content)
    with pytest.raises(ObservatoryError, match="remove it to begin again"), Cursor(path):
        pass
    assert path.read_bytes() == content


def test_pauses_grow_to_a_limit_and_begin_anew_after_a_success() -> None:
    backoff = Backoff()
    pauses = [backoff.seconds() for _ in range(10)]
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses[-2:] == [10.0, 10.0]
    backoff.reset()
    assert backoff.seconds() == 0.2


def test_a_pause_ends_when_it_is_all_over() -> None:
    async def stopped() -> float:
        stopping = asyncio.Event()
        stopping.set()
        backoff = Backoff()
        for _ in range(10):
            await backoff.pause(stopping)
        return backoff.seconds()

    assert asyncio.run(asyncio.wait_for(stopped(), 5)) == 10.0


class Kept:
    """A source with these events."""

    name = "the server"

    def __init__(self, *events: tuple[int, str], identity: str = "same") -> None:
        self.events = events
        self.identity = identity

    def database(self) -> str:
        return self.identity

    def since(self, database: str, after: int) -> Iterator[tuple[int, bytes]]:
        raise SourceError("not followed here")

    def newest(self) -> int:
        return max((number for number, _ in self.events), default=0)

    def follow(self, after: int | None, limit: int) -> Iterator[tuple[int, bytes]]:
        raise SourceError("not followed here")

    def between(self, after: int, through: int) -> Iterator[tuple[int, bytes]]:
        return ((n, json.dumps({"_ts": ts}).encode()) for n, ts in self.events if after < n <= through)

    def of_session(self, host: str | None, uid: int | None, session: str, limit: int) -> Iterator[tuple[int, bytes]]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("source", "same"),
    [
        (Kept((5, "t5"), (6, "t6")), True),
        (Kept((5, "t5"), (6, "t6"), identity="new"), False),  # its clock was set back
        (Kept((9, "t9"), identity="new"), False),
        (Kept((9, "t9")), True),  # the fifth was dropped with age
        (Kept((5, "another")), False),  # it lost its last events, and gave their ids again
        (Kept((2, "t2")), False),
        (Kept(), False),
    ],
)
def test_a_position_in_another_database_or_in_a_lost_part_of_it_begins_anew(source: Kept, same: bool) -> None:
    said: list[str] = []
    reached = Position("same", 5, "t5")
    assert begin(source, reached, said.append) == (reached if same else Position(source.identity))
    assert bool(said) is not same
