"""Answers to `GET /events`, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from observatory.audience import Scope
from observatory.http.parser import Refusal
from observatory.service.event_stream import EventStream, Phase, Wish
from observatory.service.routes import NOBODY, wish
from observatory.store import Query, Store, open_store
from tests.helpers.events import event
from tests.helpers.unix_http import parsed_answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from observatory.events import Event


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(str(tmp_path / "db"))
    yield store
    store.close()


def body(data: bytes) -> bytes:
    with parsed_answer(data, "GET") as response:
        assert response.status == 200
        assert response.getheader("Content-Type") == "application/x-ndjson"
        return response.read()


def numbers(data: bytes) -> list[int]:
    return [int(line.split(b":")[1].split(b",")[0]) for line in body(data).splitlines()]


def whole(store: Store, wanted: Wish, *, keep_alive: bool = True, chunks: bool = True) -> bytes:
    stream = EventStream(store, wanted, keep_alive=keep_alive, chunks=chunks)
    pieces = []
    while stream.phase is not Phase.DONE:
        assert stream.phase is not Phase.LIVE
        pieces.append(stream.more())
    return b"".join(pieces)


def test_a_short_answer_has_a_length(store: Store) -> None:
    store.append([event(1), event(2)])
    data = whole(store, Wish(Query()))
    assert b"Content-Length: " in data
    assert numbers(data) == [1, 2]
    assert body(whole(store, Wish(Query(name=("none",))))) == b""


@pytest.mark.parametrize(("keep_alive", "chunks"), [(True, True), (False, True), (False, False)])
def test_a_long_answer_comes_in_pieces_and_is_whole(store: Store, keep_alive: bool, chunks: bool) -> None:
    store.append([event(n, size=2000) for n in range(1, 1001)])
    data = whole(store, Wish(Query()), keep_alive=keep_alive, chunks=chunks)
    assert (b"Transfer-Encoding: chunked" in data) == chunks
    assert (b"Connection: close" in data) == (not keep_alive)
    assert numbers(data) == list(range(1, 1001))


def test_after_is_from_there_on_and_limit_ends_it(store: Store) -> None:
    store.append([event(n) for n in range(1, 11)])
    assert numbers(whole(store, Wish(Query(), after=7))) == [8, 9, 10]
    assert numbers(whole(store, Wish(Query(), after=0, limit=3))) == [1, 2, 3]
    assert numbers(whole(store, Wish(Query(), after=10))) == []
    assert numbers(whole(store, Wish(Query(), after=99))) == []


def test_a_limit_alone_is_for_the_newest_in_their_order(store: Store) -> None:
    store.append([event(n, name="A" if n % 2 else "B") for n in range(1, 11)])
    assert numbers(whole(store, Wish(Query(), limit=3))) == [8, 9, 10]
    assert numbers(whole(store, Wish(Query(name=("A",)), limit=2))) == [7, 9]
    assert numbers(whole(store, Wish(Query(name=("A",)), limit=99))) == [1, 3, 5, 7, 9]
    assert numbers(whole(store, Wish(Query(), limit=0))) == []


def test_an_empty_database_has_an_empty_answer(store: Store) -> None:
    for wanted in (Wish(Query()), Wish(Query(), limit=5), Wish(Query(), after=5)):
        assert numbers(whole(store, wanted)) == []


def test_what_comes_while_an_answer_is_given_is_not_in_it(store: Store) -> None:
    store.append([event(n) for n in range(1, 301)])
    stream = EventStream(store, Wish(Query()), keep_alive=True, chunks=True)
    first = stream.more()
    store.append([event(n) for n in range(301, 2000)])
    rest = b""
    while stream.phase is not Phase.DONE:
        rest += stream.more()
    assert numbers(first + rest) == list(range(1, 301))


def followed(store: Store, wanted: Wish) -> tuple[EventStream, bytes]:
    stream = EventStream(store, wanted, keep_alive=True, chunks=True)
    data = b""
    while stream.phase is not Phase.LIVE:
        data += stream.more()
    return stream, data


def commit(store: Store, stream: EventStream, *events: Event) -> bytes:
    store.append(events)
    return stream.offer(list(events))


def test_a_follower_gets_what_is_there_and_then_what_comes(store: Store) -> None:
    store.append([event(1), event(2, uid=7)])
    stream, data = followed(store, Wish(Query(uid=1000), follow=True))
    data += commit(store, stream, event(3), event(4, uid=7))
    data += commit(store, stream, event(5, uid=7))
    data += commit(store, stream, event(6))
    assert numbers(data + stream.end()) == [1, 3, 6]


def test_a_follower_gets_its_head_at_once_even_if_there_is_nothing_yet(store: Store) -> None:
    _, data = followed(store, Wish(Query(), follow=True))
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_follower_with_a_limit_gets_the_newest_and_everything_that_comes(store: Store) -> None:
    store.append([event(n) for n in range(1, 11)])
    stream, data = followed(store, Wish(Query(), limit=2, follow=True))
    for number in range(11, 15):
        data += commit(store, stream, event(number))
    assert numbers(data + stream.end()) == [9, 10, 11, 12, 13, 14]
    stream, data = followed(store, Wish(Query(), limit=0, follow=True))
    data += commit(store, stream, event(15))
    assert numbers(data + stream.end()) == [15]


def test_a_follower_with_a_start_and_a_limit_is_done_when_it_has_so_many(store: Store) -> None:
    store.append([event(1)])
    stream, data = followed(store, Wish(Query(), after=0, limit=3, follow=True))
    data += commit(store, stream, event(2))
    after_two = stream.phase
    data += commit(store, stream, event(3), event(4))
    assert (after_two, stream.phase) == (Phase.LIVE, Phase.DONE)
    assert numbers(data) == [1, 2, 3]


def test_a_follower_from_beyond_the_end_gets_only_what_is_beyond_it(store: Store) -> None:
    store.append([event(1)])
    stream, data = followed(store, Wish(Query(), after=3, follow=True))
    for number in range(2, 6):
        data += commit(store, stream, event(number))
    assert numbers(data + stream.end()) == [4, 5]


def test_a_wish_is_within_what_its_reader_may_see() -> None:
    everything, own, nothing = Scope(everything=True), Scope(uid=1000), Scope()
    assert wish({}, everything) == Wish(Query())
    assert wish({"user": "7"}, everything) == Wish(Query(uid=7))
    assert wish({}, own) == Wish(Query(uid=1000))
    assert wish({"user": "1000"}, own) == Wish(Query(uid=1000))
    assert wish({"user": "0"}, own) == Wish(Query(uid=NOBODY))
    refused = wish({}, nothing)
    assert isinstance(refused, Refusal)
    assert refused.status == 403


def test_parameters_that_make_no_sense_are_refused_with_a_sentence() -> None:
    for parameters in ({"after": "-1"}, {"limit": "x"}, {"limit": ""}, {"after": "9" * 19}, {"user": "no such user"}):
        refused = wish(parameters, Scope(everything=True))
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.sentence[-1]) == (400, ".")


def test_all_parameters_are_understood() -> None:
    asked = {"after": "5", "limit": "6", "event": "Stop", "session": "s", "tool": "Bash", "follow": "1", "other": "x"}
    assert wish(asked, Scope(uid=1)) == Wish(Query(1, ("s",), ("Bash",), ("Stop",)), 5, 6, True)
    assert wish({"follow": "0", "event": "", "user": ""}, Scope(everything=True)) == Wish(Query())


def test_several_values_are_alternatives_and_times_have_an_offset() -> None:
    asked = {"tool": ["Edit", "Write", "Edit", ""], "beginning": "0a", "since": "1970-01-01T01:00:00.5+01:00"}
    assert wish(asked, Scope(everything=True)) == Wish(Query(tool=("Edit", "Write"), beginning=("0a",), since=500_000))


@pytest.mark.parametrize(
    "parameters",
    [
        {"since": "1h"},
        {"until": "2026-01-31T13:00:00"},
        {"since": "9" * 5000},
        {"tool": [str(number) for number in range(101)]},
    ],
)
def test_a_time_without_an_offset_and_too_many_values_are_refused(parameters: dict[str, str | list[str]]) -> None:
    refused = wish(parameters, Scope(everything=True))
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.sentence[-1]) == (400, ".")
