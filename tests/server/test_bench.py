"""The benchmark measures what it says: its load, its peers, and its verdicts."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.fake_server import answering, serving
from tests.helpers.program import program

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def ingest() -> Any:
    return program(BENCHMARKS / "ingest.py")


@pytest.fixture(params=["C", "Python"])
def load(request: pytest.FixtureRequest, tmp_path: Path, need: Callable[[str, str], str]) -> list[str]:
    if request.param == "Python":
        return [sys.executable, str(BENCHMARKS / "load" / "load.py")]
    compiler = need("cc", "gcc")
    source = BENCHMARKS / "load" / "load.c"
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-pthread", "-o", tmp_path / "load", source], check=True)
    return [str(tmp_path / "load")]


def run(load: list[str], path: str, clients: int = 2, seconds: float = 0.3) -> dict[str, float]:
    done = subprocess.run(
        [*load, path, str(clients), str(seconds), "0.05"], input=b"a request", capture_output=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def test_the_load_counts_answers_and_takes_their_time(load: list[str], directory: Path) -> None:
    with serving(directory / "s", answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        found = run(load, f"{directory}/s")
    got = server.received
    assert set(got) == {b"a request"}
    assert 0 < found["requests"] <= len(got)
    assert found["errors"] == 0
    assert 0 < found["p50_us"] <= found["p99_us"] <= found["max_us"]
    assert 0.25 < found["seconds"] < 2


def test_the_load_waits_for_the_whole_of_an_answer(load: list[str], directory: Path) -> None:
    """As curl does: until the connection ends, unless the head says that nothing follows."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{directory}/s")
        server.listen()
        process = subprocess.Popen(
            [*load, f"{directory}/s", "1", "0.6", "0"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.close()
        try:
            client, _ = accepted(server, 10)
            with client:
                client.recv(10)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
                with pytest.raises(TimeoutError):
                    accepted(server, 0.3)
                client.sendall(b"x")
            client, _ = accepted(server, 10)
            with client:
                client.recv(10)
                client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                accepted(server, 10)[0].close()
        finally:
            process.kill()
            process.wait()


def accepted(server: socket.socket, seconds: float) -> tuple[socket.socket, object]:
    server.settimeout(seconds)
    return server.accept()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 500 No\r\n\r\n", b"", b"HTTP/1.1 20"])
def test_the_load_counts_no_answer_that_is_not_200(load: list[str], directory: Path, answer: bytes) -> None:
    with serving(directory / "s", answering(answer)):
        found = run(load, f"{directory}/s")
    assert found["requests"] == 0
    assert found["errors"] > 0


@pytest.mark.parametrize("size", [1024, 5000, 65536])
def test_a_body_has_the_size_that_was_asked_for_and_is_an_event(ingest: Any, size: int) -> None:
    body = ingest.event(size)
    assert size - 3 <= len(body) <= size
    assert json.loads(body)["hook_event_name"] == "PostToolUse"
    head, _, rest = ingest.request(size).partition(b"\r\n\r\n")
    assert rest == body
    assert head.endswith(b"Content-Length: %d" % len(body))


def test_everything_is_measured_in_one_run(need: Callable[[str, str], str]) -> None:
    need("cc", "gcc")
    servers = ["loop in C", "observatory", "HTTPServer", "asyncio"]
    short = ["--rounds", "1", "--seconds", "0.3", "--clients", "2", "--bodies", "1k", "--no-growth"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "ingest.py", *short, "--only", *servers, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [measure["server"] for measure in found["measures"]] == servers
    for measure in found["measures"]:
        assert measure["errors"] == 0
        assert measure["rate"] > 0
        assert measure["of_limit"] > 0
    assert {target["to_reach"] for target in found["targets"]} == {"above every Python server, 2 clients, 1024 bytes"}


def test_for_people_there_are_tables() -> None:
    short = ["--rounds", "1", "--seconds", "0.2", "--clients", "1", "--bodies", "1k", "--no-growth"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "ingest.py", *short, "--only", "observatory", "asyncio"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for word in ("observatory", "asyncio", "events/s", "p99", "what was to be reached"):
        assert word in done.stdout


GOOD = {"rate": 0.95, "stored": 1_000_000, "query_ms": {"/events?limit=100": 4.0}, "memory_mb": 50.0}


def outcome(ingest: Any, measures: list[Any], growth: dict[str, Any] | None = None) -> dict[str, bool]:
    return {what: reached for what, reached, _ in ingest.verdicts(measures, growth, 1024)}


def test_a_verdict_is_what_was_found_and_not_what_was_wished(ingest: Any) -> None:
    ours = ingest.Measure("observatory", 8, 1024, 50_000, 1, 1, 1, 1, 0, 0.46, 2.0)
    peer = ingest.Measure("asyncio", 8, 1024, 40_000, 1, 1, 1, 1, 0, 0.40, 2.0)
    least, above = "at least 0.45 of the limit, 8 clients", "above every Python server, 8 clients, 1024 bytes"
    assert outcome(ingest, [ours, peer]) == {least: True, above: True}
    slow = dataclasses.replace(ours, rate=39_000, of_limit=0.44)
    assert outcome(ingest, [slow, peer]) == {least: False, above: False}
    many = dataclasses.replace(ours, clients=64)
    within = "p99 within 4 x the limit's, 64 clients"
    assert outcome(ingest, [many])[within]
    assert not outcome(ingest, [dataclasses.replace(many, p99_of_limit=4.1)])[within]


@pytest.mark.parametrize(
    ("worse", "what"),
    [
        ({"rate": 0.89}, "the same rate within 10 % with 1,000,000 events"),
        ({"query_ms": {"/events?limit=100": 5.1}}, "/events?limit=100 under 5 ms"),
        ({"memory_mb": 61.0}, "memory under 60 MB"),
    ],
)
def test_growth_has_its_verdicts(ingest: Any, worse: dict[str, Any], what: str) -> None:
    assert all(outcome(ingest, [], GOOD).values())
    found = outcome(ingest, [], {**GOOD, **worse})
    assert [name for name, reached in found.items() if not reached] == [what]


def test_growth_is_measured_on_a_database_that_has_grown(
    ingest: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[[str, str], str]
) -> None:
    need("cc", "gcc")
    monkeypatch.setattr(ingest, "GROWN", 5000)
    monkeypatch.setattr(ingest, "READINGS", ["/events?limit=100", "/events?after=2000&limit=100"])
    load, _ = ingest.compiled(directory)
    options = type("Options", (), {"rounds": 1, "seconds": 0.2})
    found = ingest.grown(load, directory, options)
    assert found["stored"] > 5000
    assert found["rate"] > 0
    assert set(found["query_ms"]) == {"/events?limit=100", "/events?after=2000&limit=100"}
    assert found["bytes_an_event"] > 1024
