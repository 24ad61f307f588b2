"""The harness's end of the streams: answers in any order, processes' lines, and a place that ends by itself."""

from __future__ import annotations

import json
import queue
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harness.engines.agent_connection import AgentConnection
from harness.engines.protocol import Completed, PlaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.inside.messages import SignalRequest, StartRequest

FACTS = {"kernel": "6.1"}
START: StartRequest = {
    "do": "start",
    "command": ["true"],
    "principal": {"uid": 0, "gid": 0, "groups": []},
    "environment": {},
    "directory": "/",
    "umask": 0o022,
}


def signal(process: int) -> SignalRequest:
    return {"do": "signal", "process": process, "number": 15}


class Stub:
    """A transport whose far end is a function from a request to messages."""

    def __init__(self, answer: Callable[[dict[str, Any]], list[dict[str, Any] | bytes]], said: str = "") -> None:
        self.answer = answer
        self.said = said
        self.queue: queue.Queue[bytes] = queue.Queue()
        self.started = False
        self.closed = threading.Event()

    def read(self) -> bytes:
        return self.queue.get()

    def write(self, data: bytes) -> None:
        if not self.started:
            self.started = True
            self.put({"ready": FACTS})
            return
        for line in data.splitlines():
            for message in self.answer(json.loads(line)):
                self.put(message)

    def put(self, message: dict[str, Any] | bytes) -> None:
        self.queue.put(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        self.closed.set()
        self.queue.put(b"")

    def diagnosis(self) -> str:
        return self.said


@pytest.fixture
def connect() -> Iterator[Callable[..., tuple[AgentConnection, Stub]]]:
    opened = []

    def start(answer: Callable[[dict[str, Any]], list[dict[str, Any] | bytes]], said: str = "") -> Any:
        stub = Stub(answer, said)
        connection = AgentConnection(stub, "program")
        opened.append(connection)
        return connection, stub

    yield start
    for connection in opened:
        connection.close()


def test_the_agent_s_facts_are_known_when_it_is_there(connect: Any) -> None:
    connection, _ = connect(lambda request: [])
    assert connection.facts == FACTS


def test_an_answer_belongs_to_its_request_in_whatever_order_they_come(connect: Any) -> None:
    held: list[int] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any] | bytes]:
        held.append(request["id"])
        if len(held) < 2:
            return []
        return [{"id": number, "done": number * 10} for number in reversed(held)]

    connection, _ = connect(answer)
    first, second = connection.send(signal(1)), connection.send(signal(2))
    assert (connection.receive(first), connection.receive(second)) == (first * 10, second * 10)


def test_a_message_may_come_in_pieces(connect: Any) -> None:
    connection, _ = connect(
        lambda request: [f'{{"id": {request["id"]}, "do'.encode(), b'ne": "whole"}\n{"ready"', b": {}}\n"]
    )
    assert connection.request(signal(1)) == "whole"


def test_what_the_agent_could_not_do_is_its_own_sentence(connect: Any) -> None:
    connection, _ = connect(lambda request: [{"id": request["id"], "failed": "the node /x cannot be made"}])
    with pytest.raises(PlaceError, match=r"^the node /x cannot be made$"):
        connection.request(signal(1))


def test_a_place_that_ends_by_itself_says_its_last_words(connect: Any) -> None:
    connection, _ = connect(lambda request: [b""], said="warning\nout of memory\n")
    with pytest.raises(PlaceError, match="the place has ended: out of memory"):
        connection.request(signal(1))


def test_an_agent_that_never_comes_ends_the_attempt_to_open_a_place() -> None:
    stub = Stub(lambda request: [])
    stub.started = True
    with pytest.raises(PlaceError, match=r"did not start within 0 s"):
        AgentConnection(stub, patience=0.05)
    assert stub.closed.is_set()


def process_that(*news: dict[str, Any]) -> Callable[[dict[str, Any]], list[dict[str, Any] | bytes]]:
    def answer(request: dict[str, Any]) -> list[dict[str, Any] | bytes]:
        return [{"id": request["id"], "done": {"process": 1, "pid": 77}}, *({"process": 1, **what} for what in news)]

    return answer


def test_a_process_s_output_is_lines_however_it_was_cut(connect: Any) -> None:
    connection, _ = connect(process_that({"stdout": "on"}, {"stderr": "x\n"}, {"stdout": "e\ntwo\nthr"}, {"exit": 3}))
    process = connection.start(START)
    assert (process.pid, process.read_line(), process.read_line("stderr")) == (77, "one", "x")
    assert process.wait() == Completed(3, "two\nthr", "")


def test_a_last_line_without_its_newline_is_a_line(connect: Any) -> None:
    connection, _ = connect(process_that({"stdout": "end"}, {"exit": 0}))
    process = connection.start(START)
    assert process.read_line() == "end"
    with pytest.raises(EOFError, match="exit 0"):
        process.read_line()


def test_a_character_cut_in_two_is_put_together_again(connect: Any) -> None:
    first, second = "é".encode()[:1].decode(errors="surrogateescape"), "é".encode()[1:].decode(errors="surrogateescape")
    connection, _ = connect(process_that({"stdout": first}, {"stdout": second + "\n"}))
    assert connection.start(START).read_line() == "é"


def test_a_line_that_does_not_come_is_a_timeout_that_says_what_came(connect: Any) -> None:
    connection, _ = connect(process_that({"stderr": "why\n"}, {"stdout": "half"}))
    with pytest.raises(TimeoutError, match=r"half.*why"):
        connection.start(START).read_line(timeout=0.05)


def test_a_process_outlived_by_nothing_when_its_place_ends(connect: Any) -> None:
    connection, stub = connect(process_that({"stdout": "alive\n"}))
    process = connection.start(START)
    assert process.read_line() == "alive"
    stub.put(b"")
    with pytest.raises(PlaceError, match="the place ended before its process 77"):
        process.wait()
    with pytest.raises(ProcessLookupError):
        process.signal(15)
