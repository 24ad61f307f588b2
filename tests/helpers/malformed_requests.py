"""Bytes that are no request, by what is wrong with them: what RFC 9112 forbids or what other protocols say.

Targets and fields are those of this server, so that nothing but the fault keeps them from being events.
"""

from __future__ import annotations

from typing import Final

GET: Final = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST: Final = b"POST /hook HTTP/1.1\r\nHost: x\r\n"
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"

MALFORMED: Final[dict[str, bytes]] = {
    "a TLS ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no method": b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/0.9 by its number": b"GET /health HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/0.9 as it was": b"GET /health\r\n\r\n",
    "a space after the version": b"GET /health HTTP/1.1 \r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "a bare carriage return": b"GET /health HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "a space before the colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "a field without a name": b"GET /health HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n",
    "a folded field": GET + b" folded\r\n\r\n",
    "a null in a name": GET + b"A\0: b\r\n\r\n",
    "a null in a value": GET + b"A: \0\r\n\r\n",
    "no Host": b"GET /health HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: y\r\n\r\n",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an upgrade": GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "an upgrade with a body": POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a signed length": POST + b"Content-Length: +1\r\n\r\na",
    "a hexadecimal length": POST + b"Content-Length: 0x1\r\n\r\na",
    "a length with a space": POST + b"Content-Length: 1 1\r\n\r\na",
    "an empty length": POST + b"Content-Length: \r\n\r\n",
    "a length of 2^99": POST + b"Content-Length: %s\r\n\r\n" % (b"9" * 30),
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "a list of lengths": POST + b"Content-Length: 1, 1\r\n\r\na",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked not as the last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": CHUNKED + b"x\r\n",
    "a chunk of an empty size": CHUNKED + b"\r\n",
    "a chunk of negative size": CHUNKED + b"-1\r\n",
    "a chunk of hexadecimal size": CHUNKED + b"0x1\r\na\r\n",
    "a chunk size that ends with a line feed": CHUNKED + b"1\na\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "a chunk without end": CHUNKED + b"1\r\na0\r\n\r\n",
    "a chunk of 2^68": CHUNKED + b"fffffffffffffffff\r\n",
    "a space after a chunk's size": CHUNKED + b"1 \r\na\r\n0\r\n\r\n",
}
