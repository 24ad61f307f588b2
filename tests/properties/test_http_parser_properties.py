"""Whatever arrives, in whatever pieces."""

from __future__ import annotations

import itertools
from typing import TypeAlias

from hypothesis import example, given
from hypothesis import strategies as st

from observatory.http.parser import RequestReader

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map(str.encode)
VALUE = st.text("abcdefghijklmnopqrstuvwxyz 0123456789:/", max_size=20).map(lambda text: text.strip().encode())
FIELDS = st.lists(st.tuples(st.just(b"x-").flatmap(lambda x: TOKEN.map(lambda t: x + t)), VALUE), max_size=4)
BODY = st.binary(max_size=200)


def with_length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length: %d\r\n" % len(body), body


@st.composite
def in_chunks(draw: st.DrawFn, body: bytes) -> tuple[bytes, bytes]:
    cuts = sorted({0, len(body), *draw(st.lists(st.integers(0, len(body)), max_size=5))})
    pieces = [body[start:end] for start, end in itertools.pairwise(cuts) if end > start]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n", coded + b"0\r\n\r\n"


Drawn: TypeAlias = tuple[bytes, tuple[bytes, bytes, bytes]]
"""The bytes of a request, and its method, target and body."""


@st.composite
def requests(draw: st.DrawFn) -> Drawn:
    """The bytes of a good request, and what it says."""
    target = b"/" + draw(TOKEN)
    fields = b"".join(b"%b: %b\r\n" % field for field in draw(FIELDS))
    if draw(st.booleans()):
        return b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (target, fields), (b"GET", target, b"")
    body = draw(BODY)
    length, coded = draw(st.one_of(st.just(with_length(body)), in_chunks(body)))
    return b"POST %b HTTP/1.1\r\nHost: x\r\n%b%b\r\n%b" % (target, fields, length, coded), (b"POST", target, body)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(requests(), min_size=1, max_size=5), st.lists(st.integers(0, 10_000), max_size=12))
def test_requests_are_the_same_wherever_they_are_cut(wanted: list[Drawn], places: list[int]) -> None:
    reader = RequestReader()
    for piece in cut(b"".join(data for data, _ in wanted), places):
        reader.feed(piece)
    assert reader.refusal is None
    assert [(r.method, r.target, bytes(r.body)) for r in reader.requests] == [said for _, said in wanted]
    assert not reader.in_request
    assert reader.body_size == 0


@given(requests())
def test_a_request_is_not_complete_before_its_last_byte(wanted: Drawn) -> None:
    data, _ = wanted
    reader = RequestReader()
    for place in range(len(data) - 1):
        reader.feed(data[place : place + 1])
        assert not reader.requests
        assert reader.refusal is None
    reader.feed(data[-1:])
    assert len(reader.requests) == 1


WORDS = b"GET POST HTTP/1.1 HTTP/1.0 Content-Length: Connection: Expect: 100-continue 0 3 ffffffff /hook {} abc".split()
LINES = (b"Host: x", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close", b"Upgrade: h2c")
MEANINGFUL = st.sampled_from([*WORDS, *LINES, b"Connection: upgrade", b"\r\n", *(b"%c" % c for c in b"\n\r \0\t:,;")])


@given(st.lists(st.lists(st.one_of(MEANINGFUL, st.binary(max_size=8)), max_size=20).map(b"".join), max_size=6))
@example([b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\nExpect: x\r\n\r\n"])
def test_nothing_that_a_peer_can_send_raises_and_a_refusal_is_the_last_word(pieces: list[bytes]) -> None:
    reader = RequestReader()
    for piece in pieces:
        before = len(reader.requests)
        refused = reader.refusal
        reader.feed(piece)
        if refused is not None:
            assert reader.refusal is refused
            assert len(reader.requests) == before
    assert all(request.target for request in reader.requests)
