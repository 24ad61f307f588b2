"""HTTP/1.1 requests out of bytes: no socket, no clock, no waiting. The parsing itself is llhttp's, by httptools.

A `RequestReader` belongs to one connection. It is fed whatever arrived and collects complete requests in the
order in which they were sent; what it can't accept it says once, as a `Refusal`, after which that connection is
of no more use (RFC 9112, sections 2.2, 6.3 and 9.6).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import httptools
import msgspec

MAX_HEAD: Final = 64 * 1024
"""Bytes of request line and header fields together, counting 32 for each field as RFC 9113, 6.5.2 does."""

MAX_BODY: Final = 32 * 1024 * 1024
"""Bytes of a request's body."""

REQUEST_SIZE: Final = 512
"""Bytes that a complete request takes here besides its body, at most for a target that is not long."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_LENGTHS: Final = frozenset(map(len, (b"host", b"content-length", b"transfer-encoding", b"expect")))


class Request(msgspec.Struct, frozen=True, gc=False):
    """One complete request, as it was sent."""

    method: bytes
    target: bytes
    body: bytes | bytearray
    keep_alive: bool
    takes_chunks: bool = False
    """The chunked transfer coding may be used to answer a GET: its sender speaks HTTP/1.1."""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a connection is to be answered with an error and closed: a status and one sentence."""

    status: HTTPStatus
    sentence: str


class RequestReader(msgspec.Struct, eq=False):
    """Collects the requests of one connection. `feed` it until `refusal` is set; take `requests` in between."""

    requests: list[Request] = msgspec.field(default_factory=list)
    """Complete, unanswered, in order. Whoever answers them takes them out."""
    refusal: Refusal | None = None
    """Set once, after everything in `requests`; nothing is read from the connection any more."""
    expects_continue: bool = False
    """The peer waits for `100 Continue` before it sends the body of the request that is being read."""
    in_request: bool = False
    """A request has begun, at least to say its target, and is not complete."""
    body_size: int = 0
    """Bytes of the incomplete request's body that are held here."""
    ended: bool = False
    """The last complete request asked for the connection to be closed: what follows it is ignored."""
    _parser: Any = None
    _in_head: bool = True
    _head_size: int = 0
    _fed: int = 0
    _fed_with_others: int = 0
    _hosts: int = 0
    _length_known: bool = False
    _length: int = 0
    _target: bytes = b""
    _body: bytes = b""
    _rest: bytearray | None = None

    def _begin(self) -> None:
        self.expects_continue = False
        self.body_size = 0
        self._in_head = True
        self._head_size = 0
        self._fed = 0
        self._fed_with_others = 0
        self._hosts = 0
        self._length_known = False
        self._length = 0
        self._target = b""
        self._body = b""
        self._rest = None

    def feed(self, data: bytes | memoryview) -> None:
        """Read on. Never raises for anything that a peer can send."""
        complete = len(self.requests)
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self.refusal is None and not self.ended:
                self._refuse(HTTPStatus.BAD_REQUEST, f"This is not an HTTP/1.1 request: {error}.")
            return
        if not (self._in_head and self.in_request):
            return
        # llhttp keeps an unfinished line to itself, so a line without end is seen by what was fed only; not by what was
        # fed of the requests before it.
        if len(self.requests) > complete:
            self._fed_with_others = len(data)
            return
        self._fed += len(data)
        if self._fed > MAX_HEAD:
            self._too_much_head()

    @property
    def held(self) -> int:
        """Bytes that are kept here of what the peer has said: of an incomplete request, and of unanswered ones."""
        held = self.body_size + self._fed + self._fed_with_others
        if self.requests:
            held += sum([REQUEST_SIZE + len(request.target) + len(request.body) for request in self.requests])
        return held

    @property
    def awaited(self) -> int:
        """Bytes of the incomplete request's body that are to come, where its head has said how many; else 0."""
        return 0 if self._in_head or not self.in_request else max(0, self._length - self.body_size)

    def let_go(self) -> None:
        """Let go of the parser, which holds a reference to this reader: no cycle is left to collect."""
        self._parser = None

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        if self.refusal is None:
            self.refusal = Refusal(status, sentence)

    def _too_much_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The request line and header fields are longer than {MAX_HEAD} bytes.",
        )

    # What follows is called by httptools, which finds these methods by their names.

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self.in_request = True
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field, or one trailer field, which is ignored."""
        if not self._in_head:
            return
        length = len(name)
        self._head_size += 32 + length + len(value)
        if length not in _LENGTHS:
            return
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._length_known = True
            self._length = int(value)
            if self._length > MAX_BODY:
                self._too_much_body()
        elif name == b"transfer-encoding":
            self._length_known = True
        elif name == b"expect":
            if value.strip().lower() == b"100-continue":
                self.expects_continue = True
            else:
                self._refuse(HTTPStatus.EXPECTATION_FAILED, "The only expectation known here is 100-continue.")

    def on_headers_complete(self) -> None:
        """The head is complete; a body may follow."""
        self._in_head = False
        parser = self._parser
        version = parser.get_http_version()
        if version not in _VERSIONS:
            self._other_version(version)
        elif self._head_size + len(self._target) > MAX_HEAD:
            self._too_much_head()
        elif parser.should_upgrade():
            self._refuse(HTTPStatus.BAD_REQUEST, "Only HTTP/1.1 is spoken here: no CONNECT, no upgrade.")
        elif self._hosts != 1 and (self._hosts or version != "1.0"):
            self._refuse(HTTPStatus.BAD_REQUEST, "An HTTP/1.1 request has exactly one Host field.")
        elif not self._length_known and parser.get_method() == b"POST":
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "A POST needs a Content-Length or a chunked Transfer-Encoding.")

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.refusal is not None:
            return
        self.expects_continue = False
        if not self.body_size:
            self._body = data
            self.body_size = len(data)
            return
        if self._rest is None:
            self._rest = bytearray(self._body)
        self._rest += data
        self.body_size = len(self._rest)
        if self.body_size > MAX_BODY:
            self._rest = None
            self._too_much_body()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_request = False
        if self.refusal is not None:
            return
        parser = self._parser
        method = parser.get_method()
        keep_alive = parser.should_keep_alive()
        body = self._body if self._rest is None else self._rest
        takes_chunks = method != b"POST" and parser.get_http_version() == "1.1"
        self.requests.append(Request(method, self._target, body, keep_alive, takes_chunks))
        if keep_alive:
            self._begin()
        else:  # what comes next is ignored: there's nothing to prepare for
            self.body_size = 0
            self.ended = True

    def _other_version(self, version: str) -> None:
        if version.startswith("0"):  # there is no version in such a request (RFC 1945, 4.1), so that it is none
            self._refuse(HTTPStatus.BAD_REQUEST, f"This is not an HTTP/1.1 request: there is no HTTP/{version}.")
        else:
            sentence = f"HTTP/{version} is not spoken here: HTTP/1.1 and HTTP/1.0 are."
            self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, sentence)

    def _too_much_body(self) -> None:
        self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is longer than {MAX_BODY} bytes (32 MiB).")
