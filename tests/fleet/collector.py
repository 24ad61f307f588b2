"""An OpenTelemetry collector by the protocol: takes log records over HTTP, or refuses them in the ways there are.

Source: OTLP/HTTP of the OpenTelemetry Protocol's specification. Requests and answers are made of the protocol's own
buffers; errors are a google.rpc.Status, as the specification says.
"""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

if TYPE_CHECKING:
    from collections.abc import Callable

PROTOBUF = "application/x-protobuf"


class Collector(ThreadingHTTPServer):
    """It takes log records, but answers the next requests as `plan` says, one after the other, and then as `always`."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[ExportLogsServiceRequest] = []
        """What it has taken."""
        self.seen: list[tuple[float, int]] = []
        """When each request came, and how many records it had."""
        self.plan: deque[Answer] = deque()
        self.always: Answer = take
        self.largest = 1 << 30
        """Bytes of a request, at most."""
        self.asked = threading.Event()
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"otlp+http://127.0.0.1:{self.server_address[1]}"

    def records(self) -> list[Any]:
        return [each for request in self.requests for each in records_of(request)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no fault of a collector's."""


def records_of(request: ExportLogsServiceRequest) -> list[Any]:
    return [
        record for resource in request.resource_logs for scope in resource.scope_logs for record in scope.log_records
    ]


def event_id(record: Any) -> int:
    """The number that the event has at its server."""
    return next(int(pair.value.int_value) for pair in record.attributes if pair.key == "observatory.event.id")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        collector = self.server
        assert isinstance(collector, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/logs":
            self.refuse(404, "there is nothing here")
            return
        if self.headers["Content-Type"] != PROTOBUF:
            self.refuse(415, "no protobuf")
            return
        if len(body) > collector.largest:
            self.refuse(413, f"{len(body)} bytes are too many")
            return
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        try:
            request = ExportLogsServiceRequest.FromString(body)
        except DecodeError as error:
            self.refuse(400, str(error))
            return
        collector.seen.append((time.monotonic(), len(records_of(request))))
        (collector.plan.popleft() if collector.plan else collector.always)(self, collector, request)
        collector.asked.set()

    def answer(self, status: int, body: bytes = b"", kind: str = PROTOBUF, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if body:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str, **headers: str) -> None:
        self.answer(status, Status(code=3, message=message).SerializeToString(), **headers)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


if TYPE_CHECKING:
    Answer = Callable[[Handler, Collector, ExportLogsServiceRequest], None]


def take(handler: Handler, collector: Collector, request: ExportLogsServiceRequest) -> None:
    collector.requests.append(request)
    print(len(collector.records()), flush=True)
    # An empty answer is what protobuf makes of a success without anything to add.
    handler.answer(200, ExportLogsServiceResponse().SerializeToString())


def rejecting_all_but(event: int, why: str) -> Answer:
    """Take one event, and reject all others."""

    def answer(handler: Handler, collector: Collector, request: ExportLogsServiceRequest) -> None:
        kept = ExportLogsServiceRequest()
        kept.CopyFrom(request)
        logs = kept.resource_logs[0].scope_logs[0].log_records
        taken = [record for record in logs if event_id(record) == event]
        rejected = len(logs) - len(taken)
        del logs[:]
        logs.extend(taken)
        collector.requests.append(kept)
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = rejected
        response.partial_success.error_message = why if rejected else ""
        handler.answer(200, response.SerializeToString())

    return answer


def refusing(status: int, message: str = "not this one", **headers: str) -> Answer:
    return lambda handler, _collector, _request: handler.refuse(status, message, **headers)


def refusing_events(status: int, *ids: int) -> Answer:
    """Refuse every request that has one of these events in it."""

    def answer(handler: Handler, collector: Collector, request: ExportLogsServiceRequest) -> None:
        found = sorted(set(map(event_id, records_of(request))) & set(ids))
        if found:
            handler.refuse(status, f"record {found[0]} is bad")
        else:
            take(handler, collector, request)

    return answer


def saying(status: int, body: bytes, kind: str, **headers: str) -> Answer:
    return lambda handler, _collector, _request: handler.answer(status, body, kind, **headers)


def never(handler: Handler, collector: Collector, _request: ExportLogsServiceRequest) -> None:
    """Take the request, and say nothing until the end."""
    collector.asked.set()
    collector.ended.wait(60)
    handler.close_connection = True


def drop(handler: Handler, _collector: Collector, _request: ExportLogsServiceRequest) -> None:
    """End the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def garbage(handler: Handler, _collector: Collector, _request: ExportLogsServiceRequest) -> None:
    """Answer something that is no HTTP."""
    handler.wfile.write(b"\x00\xffthis is no HTTP\r\n\r\n")
    handler.close_connection = True


def slowly(handler: Handler, collector: Collector, request: ExportLogsServiceRequest) -> None:
    """Take it, and answer one byte after the other."""
    collector.requests.append(request)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
        handler.wfile.write(bytes([byte]))
        time.sleep(0.02)


if __name__ == "__main__":
    with Collector(int(sys.argv[1])) as alone:
        print("ready", flush=True)
        alone.serve_forever()
