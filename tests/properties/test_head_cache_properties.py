"""A request that is known by its head is the one that llhttp would have read."""

from __future__ import annotations

from hypothesis import event, given
from hypothesis import strategies as st

from observatory.http.head_cache import HeadCache
from observatory.http.parser import RequestReader
from tests.properties.test_http_parser_properties import MEANINGFUL, requests

FIELDS = st.sampled_from([b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue", b"Accept: */*"])


@st.composite
def posts(draw: st.DrawFn) -> bytes:
    """Good requests that say how they go on, and how much they can take."""
    version, body = draw(st.sampled_from([b"1.1", b"1.0"])), draw(st.binary(max_size=20))
    fields = [b"Host: x", b"Content-Length: %d" % len(body), *draw(st.lists(FIELDS, unique=True, max_size=3))]
    head = b"\r\n".join(draw(st.permutations(fields)))
    return b"%b / HTTP/%b\r\n%b\r\n\r\n%b" % (draw(st.sampled_from([b"POST", b"GET", b"PUT"])), version, head, body)


PIECES = st.lists(st.one_of(MEANINGFUL, st.just(b"Content-Length: 3\r\n"), st.binary(max_size=4)), max_size=14)
SAID = st.one_of(posts(), requests().map(lambda request: request[0]), PIECES.map(b"".join))


def read(data: bytes) -> RequestReader:
    reader = RequestReader()
    reader.feed(data)
    return reader


@st.composite
def like(draw: st.DrawFn, data: bytes) -> bytes:
    """The same bytes with another body, another length or another byte in them."""
    head, blank, body = data.partition(b"\r\n\r\n")
    body = draw(st.one_of(st.just(body), st.binary(max_size=12)))
    for old in {b"%d" % len(data.partition(b"\r\n\r\n")[2]), b"3"}:
        new = draw(st.one_of(st.just(b"%d" % len(body)), st.sampled_from([b"3", b"03", b"3 ", b"+3", b"3, 3", b""])))
        head = head.replace(b"Content-Length: " + old, b"Content-Length: " + new)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(head)))
        head = head[:place] + draw(MEANINGFUL) + head[place + draw(st.integers(0, 1)) :]
    return head + blank + body


@given(st.data(), SAID)
def test_what_is_known_is_what_would_have_been_read(data: st.DataObject, first: bytes) -> None:
    heads = HeadCache()
    heads.learn(bytearray(first), len(first), read(first))
    second = data.draw(like(first))
    known = heads.request(bytearray(second), len(second))
    event("known" if known else "not known")
    if known is not None:
        reader = read(second)
        assert reader.refusal is None
        assert not reader.in_request
        assert [known] == reader.requests
