"""A client of the server: HTTP over its socket, once it is sure whose server that is.

Whoever binds a path first owns it, so a socket in a place where others may write could be anybody's. The kernel
says who listens (unix(7): SO_PEERCRED on the connecting side is taken at the peer's listen()), and a server of
a user whom the caller has no reason to trust is refused before a byte is sent.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import shlex
import socket
import stat
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from observatory.errors import ExitStatus, ObservatoryError
from observatory.identity import peer_credentials
from observatory.identity.names import user_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Parameters = Mapping[str, str | Sequence[str]]
    """Those of `/events`: a value, or several, by name."""

TIMEOUT: Final = 10.0
"""Seconds to wait for the server, except for an event to come."""
READ: Final = 256 * 1024
"""Bytes taken from the server at once, at most."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a Unix socket, whose server's uid is looked at first."""

    def __init__(self, path: str, trusted: frozenset[int]) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path
        self._trusted = trusted

    def connect(self) -> None:
        """Connect. Raises OSError, or ObservatoryError if the server is someone else's."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)
        peer = peer_credentials(self.sock)
        uid = None if peer is None else peer.uid
        if uid is None:
            raise ObservatoryError(
                f"the kernel doesn't say whose server listens at {self._path}, so nothing was sent to it",
                ExitStatus.NOT_PERMITTED,
            )
        if uid not in self._trusted:
            raise ObservatoryError(
                f"the server at {self._path} is {user_name(uid)}'s (uid {uid}), not yours or root's, so nothing was "
                f"sent to it; if you trust it, say --server-user {user_name(uid)}",
                ExitStatus.NOT_PERMITTED,
            )


class Client:
    """A server at one path, which must be the caller's, root's, or one of `server_uids`'."""

    def __init__(self, path: str, server_uids: frozenset[int] = frozenset()) -> None:
        self.path = path
        self._trusted = server_uids | {0, os.geteuid()}
        self._kept: _UnixConnection | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Ask whatever is asked meanwhile on one connection, one thing after the other, each answer to its end."""
        self._kept = _UnixConnection(self.path, self._trusted)
        try:
            yield
        finally:
            self._kept.close()
            self._kept = None

    def whoami(self) -> dict[str, Any]:
        """The caller's credentials as the server sees them: `pid`, `uid`, `gid`, `groups`. Raises ObservatoryError."""
        return self._object("/whoami")

    def database(self) -> str:
        """What tells the server's database from every other one. Raises ObservatoryError."""
        return str(self._object("/database").get("id"))

    def database_file(self) -> tuple[str, str] | None:
        """The file that the server's database is, and its id: where it is the caller's own. Raises ObservatoryError."""
        said = self._object("/database")
        path = said.get("path")
        return (path, str(said.get("id"))) if isinstance(path, str) else None

    def lines(self, parameters: Parameters) -> Iterator[bytes]:
        """The events that these parameters of `/events` select, one JSON object each, as they come.

        Raises ObservatoryError, also when the server ends in the middle of an event.
        """
        rest = b""
        with self._get("/events", parameters) as response, self._clear():
            # Not readline(): it takes a connection that breaks off between two chunks for the end.
            while data := response.read1(READ):
                *whole, rest = (rest + data).split(b"\n")
                yield from whole
            cut = bool(rest or response.length)
        if cut:
            raise _unavailable(f"the server at {self.path} ended in the middle of an event")

    def events(self, parameters: Parameters) -> Iterator[dict[str, Any]]:
        """The same as `lines`, read. Raises ObservatoryError."""
        return self.read(self.lines(parameters))

    def read(self, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Events from their lines. Raises ObservatoryError."""
        import msgspec  # noqa: PLC0415 - `whoami` starts without it

        from observatory.reading import read_event  # noqa: PLC0415 - likewise

        for line in lines:
            try:
                event = read_event(line)
            except (msgspec.DecodeError, RecursionError):
                raise ObservatoryError(f"what listens at {self.path} does not answer like an observatory") from None
            yield event

    def _object(self, target: str) -> dict[str, Any]:
        with self._get(target, {}) as response, self._clear():
            try:
                answer = json.loads(response.read())
            except ValueError:
                answer = None
        if not isinstance(answer, dict):
            raise ObservatoryError(f"what listens at {self.path} does not answer like an observatory")
        return answer

    @contextmanager
    def _get(self, target: str, parameters: Parameters) -> Iterator[http.client.HTTPResponse]:
        connection = self._kept or _UnixConnection(self.path, self._trusted)
        response: http.client.HTTPResponse | None = None
        try:
            with self._clear():
                connection.request("GET", f"{target}?{urlencode(parameters, doseq=True)}" if parameters else target)
                response = connection.getresponse()
                if response.status != HTTPStatus.OK:
                    self._complain(response)
                if "follow" in parameters and connection.sock is not None:
                    connection.sock.settimeout(None)
            yield response
        finally:
            whole = response is not None and (response.isclosed() or response.length == 0)
            if response is not None:
                response.close()
            if connection is not self._kept or not whole:
                connection.close()  # one that is kept is made anew with the next question

    def _complain(self, response: http.client.HTTPResponse) -> None:
        said = response.read(4096).decode(errors="replace").strip()
        statuses: dict[int, ExitStatus] = {
            HTTPStatus.BAD_REQUEST: ExitStatus.USAGE,
            HTTPStatus.FORBIDDEN: ExitStatus.NOT_PERMITTED,
            HTTPStatus.SERVICE_UNAVAILABLE: ExitStatus.UNAVAILABLE,
        }
        raise ObservatoryError(
            f"the server at {self.path} answers {response.status} {response.reason}: {said}",
            statuses.get(response.status, ExitStatus.FAILED),
        )

    @contextmanager
    def _clear(self) -> Iterator[None]:
        """Whatever goes wrong with the server, as one sentence."""
        try:
            yield
        except TimeoutError:
            raise _unavailable(f"the server at {self.path} has not answered for {TIMEOUT:.0f} seconds") from None
        except http.client.HTTPException as error:
            raise _unavailable(
                f"the server at {self.path} closed the connection, or does not speak HTTP ({type(error).__name__})"
            ) from error
        except OSError as error:
            raise _refusal(self.path, error) from error


def _refusal(path: str, error: OSError) -> ObservatoryError:
    number = error.errno
    if number in {errno.ENOENT, errno.ENOTDIR}:
        return _unavailable(f"there is no {path}; start a server with `observatory serve`")
    if number in {errno.ECONNREFUSED, errno.ENOTSOCK} and _is_something_else(path):
        return _unavailable(f"{path} is not a socket, so no server listens there; name a server's by --socket")
    if number == errno.ECONNREFUSED:
        return _unavailable(f"nobody listens at {path}; start a server with `observatory serve`")
    if number in {errno.EACCES, errno.EPERM}:
        return ObservatoryError(
            f"you may not connect to {path}; `observatory doctor --socket {shlex.quote(path)}` shows which directory "
            f"or mode is in the way, and what to do",
            ExitStatus.NOT_PERMITTED,
        )
    if number is None:  # the path itself is too long
        return ObservatoryError(f"{path!r} can't be a socket's path: {error}", ExitStatus.USAGE)
    if number in {errno.ECONNRESET, errno.EPIPE}:
        return _unavailable(f"the server at {path} closed the connection")
    return _unavailable(f"no server can be reached at {path}: {error.strerror}")


def _is_something_else(path: str) -> bool:
    """Whether what is there is no socket. Linux refuses a connection to it as it does one to a dead server's socket."""
    try:
        return not stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _unavailable(sentence: str) -> ObservatoryError:
    """No server is there, or it doesn't answer any more."""
    return ObservatoryError(sentence, ExitStatus.UNAVAILABLE)
