"""Many random requests to one head cache and to the parser: what is known is what would have been read.

`OBSERVATORY_FULL=1` makes four million of them.
"""

from __future__ import annotations

import os
import random
import re

from observatory.http.head_cache import CAPACITY, HeadCache
from observatory.http.parser import RequestReader

CASES = 4_000_000 if os.environ.get("OBSERVATORY_FULL", "") not in {"", "0"} else 20_000
"""Of which a third or so are known to the cache."""
LINES = [
    *(b"POST /hook?event=Stop HTTP/1.1", b"POST /hook?event=PreToolUse HTTP/1.1", b"POST /hook HTTP/1.0"),
    *(b"GET /health HTTP/1.1", b"PUT / HTTP/1.1", b"POST /hook HTTP/2.0", b"POST /hook HTTP/0.9"),
    b"POST  /hook HTTP/1.1",
]
FIELDS = [
    *(b"Host: x", b"Host: localhost", b"Accept: */*", b"User-Agent: curl/8.5.0", b"Content-Type: application/json"),
    *(b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue", b"Transfer-Encoding: chunked"),
    *(b"content-length: 3", b"X: \r", b"Connection: upgrade", b"Upgrade: h2c", b" folded", b"Content-Length : 2"),
]
BYTES = [b"\r\n", b"\r", b"\n", b" ", b":", b"0", b"9", b"-", b"+", b",", b"\t", b"\0", b"\xff", b"\r\n\r\n"]


def request(draw: random.Random) -> bytes:
    """Mostly good ones."""
    body = bytes(draw.choices(b'{}":x1\r\n\0', k=draw.randrange(12)))
    length = len(body) if draw.random() < 0.9 else draw.randrange(14)
    fields = [draw.choice(FIELDS[:5]), *draw.sample(FIELDS, draw.randrange(3))]
    if draw.random() < 0.9:
        fields[0] = FIELDS[0]
    digits = b"%d" % length if draw.random() < 0.95 else b"0%d" % length
    fields.insert(draw.randrange(len(fields) + 1), b"Content-Length: " + digits)
    line = draw.choice(LINES[:3]) if draw.random() < 0.85 else draw.choice(LINES)
    return b"\r\n".join([line, *fields, b"", b""]) + body


def again(draw: random.Random, data: bytes) -> bytes:
    """The same head as before, which is looked at in a shorter way, with another body."""
    head, _, body = data.partition(b"\r\n\r\n")
    body = body[draw.randrange(len(body) + 1) :] + b"x" * draw.randrange(100)
    return re.sub(rb"(?<=\r\nContent-Length: )\d+", b"%d" % len(body), head) + b"\r\n\r\n" + body


def altered(draw: random.Random, data: bytes) -> bytes:
    """The same with another byte somewhere, or one more, or one less."""
    place = draw.randrange(len(data))
    return data[:place] + draw.choice(BYTES) + data[place + draw.randrange(2) :]


def test_what_is_known_is_what_would_have_been_read() -> None:
    seed = random.randrange(1 << 32)
    draw = random.Random(seed)
    heads, known, data = HeadCache(), 0, b""
    for case in range(CASES):
        older = data
        data = again(draw, data) if draw.random() < 0.3 else request(draw)
        if draw.random() < 0.3:
            data = altered(draw, data)
        found = heads.request(bytearray(data + older), len(data))
        reader = RequestReader()
        reader.feed(data)
        if found is None:
            heads.learn(bytearray(data), len(data), reader)
        else:
            known += 1
            read = (reader.refusal, reader.in_request, reader.requests)
            assert read == (None, False, [found]), f"case {case} of seed {seed}: {data!r}"
        reader.let_go()
    assert known > CASES / 10
    assert len(heads._known) <= CAPACITY
    print(f"{CASES} cases of seed {seed}, {known} of them known to the cache")
