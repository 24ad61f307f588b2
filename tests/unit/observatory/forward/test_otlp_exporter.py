"""What a collector's answer means, by the protocol."""

from __future__ import annotations

import io

import pytest
import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from observatory.forward.otlp_exporter import LONGEST_WAIT, Answer, outcome

PROTOBUF = "application/x-protobuf"


def response(status: int, body: bytes = b"", kind: str = PROTOBUF, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.reason = "Reason"
    made.raw = io.BytesIO(body)
    made.headers.update({"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}})
    return made


def partial(rejected: int, message: str = "") -> bytes:
    made = ExportLogsServiceResponse()
    made.partial_success.rejected_log_records = rejected
    made.partial_success.error_message = message
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(
    ("status", "body", "kind", "answer", "rejected"),
    [
        (200, b"", PROTOBUF, Answer.TAKEN, 0),
        (204, b"", "", Answer.TAKEN, 0),
        (200, partial(3, "no"), PROTOBUF, Answer.TAKEN, 3),
        (200, partial(99), PROTOBUF, Answer.TAKEN, 10),  # more than there were
        (200, partial(-1), PROTOBUF, Answer.TAKEN, 0),
        (200, b'{"partialSuccess":{"rejectedLogRecords":"4"}}', "application/json", Answer.TAKEN, 4),
        (200, b"{}", "application/json; charset=utf-8", Answer.TAKEN, 0),
        (200, b"[]", "application/json", Answer.LATER, 0),
        (200, b"OK", "text/plain", Answer.LATER, 0),
        (200, b"\xff\xff\xff", PROTOBUF, Answer.LATER, 0),
        (301, b"", "", Answer.LATER, 0),
        (304, b"", "", Answer.LATER, 0),
        (400, b"", PROTOBUF, Answer.REFUSED, 0),
        (413, b"", "", Answer.REFUSED, 0),
        *((status, b"", "", Answer.LATER, 0) for status in (401, 403, 404, 405, 408, 415, 429, 500, 502, 503, 504)),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, kind: str, answer: Answer, rejected: int) -> None:
    made = outcome(response(status, body, kind), 10)
    assert (made.answer, made.rejected) == (answer, rejected)
    assert made.reason or answer is Answer.TAKEN


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("999999", LONGEST_WAIT, LONGEST_WAIT),
        ("-3", 0, 0),
        ("nan", 0, 0),
        ("inf", 0, 0),
        ("soon", 0, 0),
        ("", 0, 0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", LONGEST_WAIT, LONGEST_WAIT),
        ("Fri, 31 Jan 2020 23:59:59 GMT", 0, 0),
    ],
)
def test_how_long_a_collector_asks_to_wait(said: str, least: float, most: float) -> None:
    assert least <= outcome(response(429, Retry_After=said), 1).wait <= most


def test_a_collectors_own_words_are_told_in_one_short_line() -> None:
    assert outcome(response(503, b"try\nlater " + b"x" * 9999, "text/plain"), 1).reason.startswith(
        "it answers 503 Reason: try later xxx"
    )
    assert len(outcome(response(503, b"x" * 9999, "text/plain"), 1).reason) < 300
