"""Requests that nobody would send: no crash, no traceback, and one who behaves beside them loses nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.malformed_requests import MALFORMED
from tests.helpers.observatory_server import ObservatoryServer, start
from tests.helpers.unix_http import post

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 50_000 if os.environ.get("OBSERVATORY_FULL", "") not in {"", "0"} else 1_000
"""Fuzzed requests to a real server, of all strategies together; 50,000 with `OBSERVATORY_FULL=1`."""


class Beside:
    """One who behaves, and sends numbered events all the time."""

    def __init__(self, server: ObservatoryServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self.acknowledged: list[int] = []
        self.refused: list[int] = []
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def _send(self) -> None:
        number = 0
        while not self._stop.wait(0.005):
            status = self._server.send(b'{"beside":%d}' % number)
            (self.acknowledged if status == 200 else self.refused).append(number)
            number += 1

    def end(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[ObservatoryServer]:
    """A server for all of these tests, and at the end what must hold of it."""
    with tempfile.TemporaryDirectory(prefix="o") as directory:
        server = start(Path(directory))
        beside = Beside(server)
        yield server
        beside.end()
        assert server.process.poll() is None
        assert server.end() == 0
        assert server.log_text().count("\n") == 2, server.log_text()
        assert beside.refused == []
        assert [event["beside"] for event in server.stored() if "beside" in event] == beside.acknowledged
        assert server.printed() == server.stored()
        print(f"{len(beside.acknowledged)} events beside, none lost; {len(server.stored())} stored in all")


def deliver(server: ObservatoryServer, pieces: list[bytes], *, to_end: bool = True) -> bytes:
    """Send these pieces and say that there is no more; what's answered until the server closes."""
    answer = b""
    with server.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                sock.sendall(piece)
                if not to_end:
                    select.select([sock], [], [], 0.001)
            sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(1 << 20):
                answer += data
    return answer


STATUSES = {b"100", b"200", b"400", b"404", b"405", b"408", b"411", b"413", b"417", b"431", b"503", b"505"}


def is_sound(answer: bytes) -> None:
    """Whatever is said is HTTP, with a status that this server has."""
    if answer:
        assert answer.startswith(b"HTTP/1.1 "), answer[:100]
        assert answer[9:12] in STATUSES


METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"get", b"", b"P" * 3000, b"CONNECT", b"PRI"])
TARGETS = st.one_of(
    st.sampled_from(
        [b"/hook", b"/hook?event=Stop", b"/health", b"/whoami", b"/events?limit=1", b"*", b"http://x/hook", b"//", b"?"]
        # no follower: it would wait for more
    ),
    st.binary(max_size=40).filter(lambda target: b"follow" not in target),
    st.integers(1, 70_000).map(lambda size: b"/" + b"a" * size),
)
VERSIONS = st.sampled_from(
    [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"", b"HTTP/1.1 ", b"HTTP/11"]
)
NAMES = st.sampled_from(
    [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Expect", b"Upgrade", b"Content-Type", b"", b" "]
) | st.binary(max_size=10)
VALUES = st.one_of(
    st.sampled_from([b"x", b"0", b"2", b"5", b"-1", b"99999999999999999999", b"chunked", b"gzip, chunked", b"close"]),
    st.sampled_from([b"keep-alive", b"100-continue", b"upgrade", b"h2c", b"websocket", b"", b" ", b"\t", b"identity"]),
    st.binary(max_size=20),
    st.integers(1, 70_000).map(lambda size: b"v" * size),
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b""])
CHUNK_SIZES = st.sampled_from([b"0", b"1", b"5", b"a", b"FFFFFFFFFFFFFFFF", b"x", b"", b"1;a=b", b"-1", b"00000001"])
JSON = st.sampled_from(
    [b"{}", b'{"a":1}', b'{"_peer_uid":0}', b"[" * 2000, b'"\\ud800"', b"null", b'{"session_id":1}', b'{"a":1e999}']
)


@st.composite
def almost_requests(draw: st.DrawFn) -> bytes:
    """The parts of a request, each right or not."""
    lines = [b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)]), draw(ENDS)]
    for _ in range(draw(st.integers(0, 5))):
        lines += [draw(NAMES), draw(st.sampled_from([b": ", b":", b" :", b""])), draw(VALUES), draw(ENDS)]
    lines.append(draw(ENDS))
    for _ in range(draw(st.integers(0, 3))):
        lines += [draw(CHUNK_SIZES), draw(ENDS), draw(JSON | st.binary(max_size=12)), draw(ENDS)]
    return b"".join(lines)


@st.composite
def almost_hooks(draw: st.DrawFn) -> bytes:
    """A good hook with any body, and with a few bytes changed, put in, or taken out."""
    data = bytearray(post(draw(JSON | st.binary(max_size=60))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 2)):
            case 0:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                data[place:place] = draw(st.binary(max_size=4))
            case _:
                del data[place : place + draw(st.integers(1, 8))]
    return bytes(data)


def often(share: float) -> settings:
    return settings(
        max_examples=int(EXAMPLES * share),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


@pytest.mark.timeout(7200)
@often(0.4)
@given(st.lists(almost_requests(), min_size=1, max_size=3))
def test_requests_of_which_any_part_may_be_wrong(fuzzed: ObservatoryServer, requests: list[bytes]) -> None:
    is_sound(deliver(fuzzed, [b"".join(requests)]))


@pytest.mark.timeout(7200)
@often(0.3)
@given(st.lists(almost_hooks(), min_size=1, max_size=3), st.lists(st.integers(0, 400), max_size=4))
def test_hooks_with_a_few_bytes_wrong_in_any_pieces(
    fuzzed: ObservatoryServer, requests: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(requests)
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    is_sound(deliver(fuzzed, pieces, to_end=False))


@pytest.mark.timeout(7200)
@often(0.3)
@given(st.binary(max_size=400))
def test_any_bytes(fuzzed: ObservatoryServer, data: bytes) -> None:
    is_sound(deliver(fuzzed, [data]))


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_what_comes_after_a_malformed_request_is_never_taken_for_another(
    fuzzed: ObservatoryServer, request_: bytes
) -> None:
    answer = deliver(fuzzed, [request_ + post(b'{"smuggled":1}', "Smuggled")])
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", answer)) == 1
    assert fuzzed.events("?event=Smuggled") == []


def test_a_good_request_after_a_good_one_is_taken_for_another(fuzzed: ObservatoryServer) -> None:
    """What the test above is worth."""
    before = len(fuzzed.events("?event=Pipelined"))
    assert deliver(fuzzed, [post() + post(b"{}", "Pipelined")]).count(b"HTTP/1.1 200 OK") == 2
    assert len(fuzzed.events("?event=Pipelined")) == before + 1


@pytest.mark.timeout(7200)
def test_coverage_guided_fuzzing_of_what_is_made_of_bytes(full: bool, tmp_path: Path) -> None:
    """In one process, of everything between the bytes and the line: 2,000,000 runs, or 20,000."""
    pytest.importorskip("atheris", reason="Atheris has no wheel for this Python; the other fuzzers do without it")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, data in enumerate([*MALFORMED.values(), post(b'{"session_id":"s","tool_name":"Bash","_a":1}')]):
        (corpus / str(number)).write_bytes(data)
    runs = 2_000_000 if full else 20_000
    done = subprocess.run(
        [sys.executable, "-m", "tests.server.fuzz", f"-runs={runs}", "-max_len=2000", "-verbosity=0", str(corpus)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
