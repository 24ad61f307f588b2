"""HTTP/1.1 responses as bytes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from observatory.http.parser import Refusal

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def answer(
    status: HTTPStatus,
    body: bytes = b"",
    *,
    keep_alive: bool,
    content_type: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> bytes:
    """A whole response."""
    head = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
    if content_type is not None:
        head.append(f"Content-Type: {content_type}")
    if not keep_alive:
        head.append("Connection: close")
    head.extend(f"{name}: {value}" for name, value in (fields or {}).items())
    return "\r\n".join([*head, "", ""]).encode("ascii") + body


def refusal_answer(refusal: Refusal, *, keep_alive: bool = False, fields: Mapping[str, str] | None = None) -> bytes:
    """The response to something that can't be accepted: its sentence, and by default the end of the connection."""
    body = f"{refusal.sentence}\n".encode()
    return answer(refusal.status, body, keep_alive=keep_alive, content_type="text/plain; charset=utf-8", fields=fields)


def stream_head(content_type: str, *, keep_alive: bool, chunks: bool) -> bytes:
    """The head of a response whose length isn't known: its body comes in chunks, or ends with the connection."""
    head = [f"HTTP/1.1 {HTTPStatus.OK.value} {HTTPStatus.OK.phrase}", f"Content-Type: {content_type}"]
    if chunks:
        head.append("Transfer-Encoding: chunked")
    if not keep_alive or not chunks:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode("ascii")


def chunk(data: bytes) -> bytes:
    """A piece of a body in chunks (RFC 9112, 7.1); an empty one ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
