"""HTTP as bytes: which requests are read, which are refused and how, and what the answers look like."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from observatory.http.parser import MAX_BODY, MAX_HEAD, Refusal, RequestReader
from observatory.http.responses import answer, chunk, refusal_answer, stream_head
from tests.helpers.malformed_requests import CHUNKED, MALFORMED
from tests.helpers.unix_http import parsed_answer


def read(*pieces: bytes) -> RequestReader:
    reader = RequestReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def only(reader: RequestReader) -> tuple[bytes, bytes, bytes, bool]:
    assert reader.refusal is None
    (request,) = reader.requests
    return request.method, request.target, bytes(request.body), request.keep_alive


def status(*pieces: bytes) -> HTTPStatus:
    reader = read(*pieces)
    assert reader.refusal is not None
    assert reader.refusal.sentence.endswith(".")
    return reader.refusal.status


def test_a_post_is_read_with_its_target_and_body() -> None:
    reader = read(b"POST /hook?event=A HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert only(reader) == (b"POST", b"/hook?event=A", b"{}", True)


def test_a_get_has_no_body() -> None:
    assert only(read(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")) == (b"GET", b"/health", b"", True)


def test_connection_close_and_http_1_0_end_the_connection() -> None:
    assert not only(read(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[3]
    assert not only(read(b"GET / HTTP/1.0\r\n\r\n"))[3]
    assert only(read(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"))[3]


def test_only_http_1_1_takes_chunks_in_an_answer() -> None:
    assert read(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").requests[0].takes_chunks
    assert not read(b"GET / HTTP/1.0\r\n\r\n").requests[0].takes_chunks


def test_pipelined_requests_are_read_in_order() -> None:
    one = b"POST /hook?event=%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d"
    reader = read(b"".join(one % (n, n) for n in range(9)))
    assert [(r.target, bytes(r.body)) for r in reader.requests] == [
        (b"/hook?event=%d" % n, b"%d" % n) for n in range(9)
    ]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_head_is_not_charged_with_the_requests_before_it(cut: int) -> None:
    """However much of them comes at once, and wherever in the head that ends."""
    one = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n" + b"x" * 500
    many = one * (2 * MAX_HEAD // len(one))
    reader = read(many + one[:cut], one[cut:], one)
    assert reader.refusal is None
    assert len(reader.requests) == 2 * MAX_HEAD // len(one) + 2


def test_what_follows_the_last_request_of_a_connection_is_ignored() -> None:
    reader = read(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert only(reader)[1] == b"/a"
    assert reader.ended


def test_empty_lines_before_a_request_are_ignored() -> None:
    assert only(read(b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == b"GET"


def test_a_chunked_body_is_put_together_and_its_extensions_and_trailers_are_dropped() -> None:
    reader = read(CHUNKED + b'3;name="v"\r\n{"a\r\n4\r\n":1}\r\n0\r\nHost: y\r\nExpect: z\r\n\r\n')
    assert only(reader)[2] == b'{"a":1}'


def test_a_body_is_counted_while_it_comes() -> None:
    reader = read(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", b"abc", b"de")
    assert (reader.in_request, reader.body_size) == (True, 5)
    reader.feed(b"fghij")
    assert (reader.in_request, reader.body_size) == (False, 0)
    assert bytes(reader.requests[0].body) == b"abcdefghij"


def test_an_expectation_of_100_continue_is_told_until_the_body_comes() -> None:
    head = b"POST /hook HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    reader = read(head)
    before = reader.expects_continue
    reader.feed(b"{}")
    assert (before, reader.expects_continue) == (True, False)
    assert not read(head + b"{").expects_continue


def test_any_other_expectation_is_refused() -> None:
    assert status(b"POST /hook HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\n") == 417


def test_a_body_of_exactly_the_limit_is_read() -> None:
    reader = read(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % MAX_BODY, b"a" * MAX_BODY)
    assert len(only(reader)[2]) == MAX_BODY


def test_a_body_that_is_too_long_is_refused_by_its_length_before_it_comes() -> None:
    assert status(b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)) == 413


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long_and_no_longer_held() -> None:
    piece = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    reader = read(CHUNKED, *[piece] * (MAX_BODY >> 20))
    before = reader.refusal
    reader.feed(piece)
    assert before is None
    assert reader.refusal is not None
    assert reader.refusal.status == 413
    reader.feed(piece * 3)
    assert not reader.requests


def test_a_head_that_is_too_long_is_refused_however_it_is_made_long() -> None:
    line = b"GET / HTTP/1.1\r\nHost: x\r\n"
    assert status(line + b"A: " + b"a" * MAX_HEAD + b"\r\n\r\n") == 431
    assert status(line + b"A: b\r\n" * (MAX_HEAD // 32) + b"\r\n") == 431
    assert status(b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n") == 431


def test_a_head_just_below_the_limit_is_read_in_whatever_pieces_it_comes() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: %b\r\n" % (b"a" * 1000) * 60 + b"\r\n"
    for step in (1000, 30_000, len(head)):
        reader = read(*(head[place : place + step] for place in range(0, len(head), step)))
        assert only(reader)[0] == b"GET"


def test_a_head_without_end_is_refused_before_its_end() -> None:
    assert status(b"GET / HTTP/1.1\r\nHost: x\r\nA: ", *[b"a" * 1000] * (MAX_HEAD // 1000 + 1)) == 431
    assert status(b"GET /", *[b"a" * 1000] * (MAX_HEAD // 1000 + 1)) == 431


def test_a_post_without_a_length_is_refused() -> None:
    assert status(b"POST /hook HTTP/1.1\r\nHost: x\r\n\r\n") == 411


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_refused(request_: bytes) -> None:
    reader = read(request_)
    assert not reader.requests
    assert reader.refusal is not None
    assert reader.refusal.status in {400, 413}
    assert "\n" not in reader.refusal.sentence


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"POST /hook HTTP/2.0"])
def test_a_version_that_is_one_and_not_spoken_is_505(line: bytes) -> None:
    reader = read(line + b"\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert reader.refusal is not None
    assert reader.refusal.status == HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    assert reader.requests == []


def test_all_that_is_kept_of_what_was_said_is_counted() -> None:
    reader = RequestReader()
    assert reader.held == 0
    reader.feed(b"POST /hook HTTP/1.1\r\nHost: x\r\nX: ")
    assert reader.held >= 33
    reader.feed(b"y" * 10_000)
    assert reader.held >= 10_033
    reader.feed(b"\r\nContent-Length: 5000\r\n\r\n" + b"x" * 4000)
    assert reader.held >= 4000
    assert reader.awaited == 1000
    reader.feed(b"x" * 1000 + b"GET /" + b"a" * 3000)
    assert reader.held >= 8000
    assert reader.awaited == 0
    reader.requests.clear()
    assert reader.held >= 3000
    reader.feed(b" HTTP/1.1\r\nHost: x\r\n\r\n")
    reader.requests.clear()
    assert reader.held == 0


def test_what_was_complete_before_a_fault_is_still_there() -> None:
    reader = read(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n\0")
    assert [request.target for request in reader.requests] == [b"/a"]
    assert reader.refusal is not None


def test_nothing_is_read_after_a_request_that_ends_the_connection() -> None:
    reader = read(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [request.target for request in reader.requests] == [b"/a"]
    assert reader.refusal is None


def test_a_reader_that_was_closed_is_not_in_a_cycle() -> None:
    import gc
    import weakref

    class Watched(RequestReader, weakref=True):
        pass

    gc.disable()
    try:
        reader = Watched()
        reader.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        gone = weakref.ref(reader)
        reader.let_go()
        del reader
        assert gone() is None
    finally:
        gc.enable()


def test_an_answer_without_a_body_has_length_zero_and_no_type() -> None:
    with parsed_answer(answer(HTTPStatus.OK, keep_alive=True)) as response:
        assert (response.status, response.read(), response.will_close) == (200, b"", False)
        assert response.getheader("Content-Type") is None


def test_an_answer_says_how_long_it_is_and_whether_the_connection_ends() -> None:
    whole = answer(HTTPStatus.OK, b"{}", keep_alive=False, content_type="application/json", fields={"A": "b"})
    with parsed_answer(whole) as response:
        assert (response.status, response.read(), response.will_close) == (200, b"{}", True)
        assert (response.getheader("Content-Type"), response.getheader("A")) == ("application/json", "b")


def test_a_refusal_is_one_sentence_on_one_line_and_ends_the_connection() -> None:
    with parsed_answer(refusal_answer(Refusal(HTTPStatus.BAD_REQUEST, "No."))) as response:
        assert (response.status, response.read(), response.will_close) == (400, b"No.\n", True)


def test_a_stream_is_in_chunks_or_ends_with_the_connection() -> None:
    with parsed_answer(
        stream_head("text/plain", keep_alive=True, chunks=True) + chunk(b"abc") + chunk(b"d" * 300) + chunk(b"")
    ) as response:
        assert (response.read(), response.will_close) == (b"abc" + b"d" * 300, False)
    with parsed_answer(stream_head("text/plain", keep_alive=True, chunks=False) + b"abc") as response:
        assert (response.read(), response.will_close) == (b"abc", True)
