"""Heads that were seen before: which are known, and what is taken for a request by them."""

from __future__ import annotations

from observatory.http.head_cache import CAPACITY, LONGEST_HEAD, HeadCache
from observatory.http.parser import Request, RequestReader

HEAD = b"POST /hook?event=%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


def said(body: bytes, event: bytes = b"A") -> bytes:
    return HEAD % (event, len(body)) + body


def asked(heads: HeadCache, data: bytes) -> Request | None:
    """What is known of these bytes, where others were received before."""
    return heads.request(bytearray(data + said(b"an older one")), len(data))


def learned(*requests: bytes) -> HeadCache:
    heads = HeadCache()
    for data in requests:
        reader = RequestReader()
        reader.feed(data)
        heads.learn(bytearray(data), len(data), reader)
        reader.let_go()
    return heads


def test_what_was_never_seen_is_not_known() -> None:
    assert asked(HeadCache(), said(b"{}")) is None


def test_a_request_that_begins_like_one_before_is_known_whatever_the_length_of_its_body() -> None:
    heads = learned(said(b"{}"))
    for body in (b"", b"{}", b"[]", b"x" * 1_000_000):
        assert asked(heads, said(body)) == Request(b"POST", b"/hook?event=A", body, keep_alive=False)


def test_any_other_byte_makes_another_head() -> None:
    heads = learned(said(b"{}"))
    whole = said(b"{}")
    for place in range(len(whole) - len(b"{}")):
        other = bytearray(whole)
        other[place] ^= 1
        assert asked(heads, bytes(other)) is None


def test_a_part_of_a_request_is_not_known() -> None:
    heads = learned(said(b"{}"))
    assert all(asked(heads, said(b"{}")[:size]) is None for size in range(len(said(b"{}"))))


def test_nor_is_a_request_with_something_after_it() -> None:
    assert asked(learned(said(b"{}")), said(b"{}") + b"x") is None


def test_a_length_of_other_digits_is_not_known() -> None:
    heads = learned(said(b"{}"))
    for digits in (b"+2", b" 2", b"2 ", b"2,2", b"", b"0x2", b"2\x00", b"00000002"):
        assert asked(heads, said(b"{}").replace(b": 2\r", b": %b\r" % digits)) is None


def test_what_was_refused_or_incomplete_or_more_than_one_is_not_learned() -> None:
    no_host = said(b"{}").replace(b"Host: x\r\n", b"")
    whole = said(b"{}").replace(b"Connection: close\r\n", b"")
    for data in (no_host, whole[:-1], whole + whole, whole + b"G"):
        heads = learned(data)
        assert asked(heads, no_host) is None
        assert asked(heads, whole) is None


def test_nor_is_what_the_reader_took_for_something_else() -> None:
    reader = RequestReader()
    reader.feed(said(b"[]"))
    heads = HeadCache()
    heads.learn(bytearray(said(b"{}")), len(said(b"{}")), reader)
    assert asked(heads, said(b"{}")) is None


def test_a_long_head_is_not_learned() -> None:
    long = said(b"{}").replace(b"Host: x", b"Host: " + b"x" * LONGEST_HEAD)
    assert asked(learned(long), long) is None


def test_so_many_heads_are_kept_and_no_more() -> None:
    events = [b"%d" % number for number in range(CAPACITY + 1)]
    heads = learned(*(said(b"{}", event) for event in events))
    known = [event for event in events if asked(heads, said(b"{}", event)) is not None]
    assert known == events[-1:]
    full = learned(*(said(b"{}", event) for event in events[:-1]))
    assert all(asked(full, said(b"{}", event)) for event in events[:-1])
