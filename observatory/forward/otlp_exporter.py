"""One request to an OpenTelemetry collector, and what its answer means by the protocol.

The exporter is OpenTelemetry's own, with its headers, proxies, certificates and compression. It tells success from
failure and nothing else, and takes a redirection for a success; so what it was answered is looked at here.

Source: OTLP/HTTP in the OpenTelemetry Protocol's specification: 'Full Success', 'Partial Success', 'Failures' (400: not
to be sent again), 'OTLP/HTTP Throttling' (429 and 503 with Retry-After).
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

TIMEOUT: Final = 5.0
"""Seconds for one request, as far as its pieces come at all."""
LONGEST_WAIT: Final = 300.0
"""Seconds that a collector may ask to wait, at most."""
LONGEST_REASON: Final = 200
"""Characters of a collector's own words that are kept."""
_THEIR_FAULT: Final = frozenset({400, 413, 422})
"""Statuses that say that it's the request that can't be taken: bad data, too large, unprocessable."""


class Answer(Enum):
    """What a request came to."""

    TAKEN = 1
    """All but those that were rejected, whose number is known; not to be sent again."""
    REFUSED = 2
    """Not as it is: to be sent in smaller parts."""
    LATER = 3
    """Not now: to be sent again as it is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to, and why, in words."""

    answer: Answer
    reason: str = ""
    rejected: int = 0
    """Records of a request that was taken that were not."""
    wait: float = 0.0
    """Seconds that the collector asks to wait before the next try."""


class _Session(requests.Session):
    """Keeps what was answered last."""

    response: requests.Response | None = None
    error: Exception | None = None
    asked = False

    def begin(self) -> None:
        """Forget the answer before."""
        self.asked, self.response, self.error = False, None, None

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        self.asked = True
        try:
            self.response = super().request(*arguments, **options)
        except Exception as error:
            self.error = error
            raise
        return self.response


class Exporter:
    """Sends records to one endpoint, one request at a time."""

    def __init__(self, endpoint: str, ca: str | None) -> None:
        self._session = _Session()
        self._exporter = OTLPLogExporter(endpoint=endpoint, certificate_file=ca, timeout=TIMEOUT, session=self._session)
        # What it logs is said here in a sentence.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)

    def send(self, records: list[ReadableLogRecord]) -> Outcome:
        """Send these in one request. Blocks."""
        self._session.begin()
        self._exporter.export(records)
        if not self._session.asked:
            return Outcome(Answer.REFUSED, "it can't be written as a log record, or is too large for one request")
        if self._session.response is None:
            return Outcome(Answer.LATER, _words(self._session.error))
        return outcome(self._session.response, len(records))


def outcome(response: requests.Response, count: int) -> Outcome:
    """What an answer to a request with so many records means."""
    status = response.status_code
    if status in _THEIR_FAULT:
        return Outcome(Answer.REFUSED, f"it answers {status} {response.reason}{_said(response)}")
    if not 200 <= status < 300:
        where = f" to {response.headers['Location']}" if "Location" in response.headers else ""
        return Outcome(
            Answer.LATER, f"it answers {status} {response.reason}{where}{_said(response)}", wait=_wait(response)
        )
    try:
        rejected, reason = _partial(response)
    except (DecodeError, ValueError, TypeError, AttributeError):
        return Outcome(Answer.LATER, f"what is there is not a collector: it answers {status} and {_kind(response)}")
    return Outcome(Answer.TAKEN, reason, min(max(0, rejected), count))


def _partial(response: requests.Response) -> tuple[int, str]:
    """How many records were rejected, and why. Raises DecodeError or ValueError if that is no collector's answer."""
    body = response.content
    if not body:
        return 0, ""
    kind = _kind(response)
    if kind == "application/json":
        partial = response.json().get("partialSuccess") or {}
        return int(partial.get("rejectedLogRecords", 0)), _short(str(partial.get("errorMessage", "")))
    if kind != "application/x-protobuf":
        raise ValueError(kind)
    partial_success = ExportLogsServiceResponse.FromString(body).partial_success
    return partial_success.rejected_log_records, _short(partial_success.error_message)


def _kind(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower() or "no type of content"


def _wait(response: requests.Response) -> float:
    """Seconds by Retry-After (RFC 9110, 10.2.3): a number, or a moment; 0 if it says nothing that makes sense."""
    said = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(said)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(said).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else 0.0


def _said(response: requests.Response) -> str:
    """The collector's own words, where they are text: of google.rpc.Status, or whatever a proxy says."""
    kind = _kind(response)
    body = response.content[: 4 * LONGEST_REASON]
    if kind == "application/x-protobuf":
        # google.rpc.Status: code = 1, message = 2, details = 3; its message is the field with the tag 0x12.
        _, _, rest = body.partition(b"\x12")
        body = rest[1 : 1 + rest[0]] if rest else b""
    elif not kind.startswith(("text/plain", "application/json")):
        return ""
    words = _short(body.decode(errors="replace"))
    return f": {words}" if words else ""


def _short(words: str) -> str:
    return " ".join(words.split())[:LONGEST_REASON]


def _words(error: Exception | None) -> str:
    """Why no answer came, without the layers that it came through."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate can't be verified"
    if isinstance(error, requests.exceptions.Timeout):
        return f"it has not answered for {TIMEOUT:.0f} seconds"
    if isinstance(error, requests.exceptions.ConnectionError):
        text = str(error)
        return "nobody listens there" if "Connection refused" in text else "it ended the connection without an answer"
    return f"it can't be asked: {error}" if error is not None else "it can't be asked"
