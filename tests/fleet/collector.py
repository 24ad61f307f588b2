"""A stand-in for an OpenTelemetry collector: takes log records over HTTP, or refuses them for a while."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


class Collector(ThreadingHTTPServer):
    """Takes log records, or refuses them for a while."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[ExportLogsServiceRequest] = []
        self.refusals = 0
        self.refused = threading.Event()

    @property
    def url(self) -> str:
        return f"otlp+http://127.0.0.1:{self.server_address[1]}"

    def records(self) -> list[Any]:
        return [
            record
            for request in self.requests
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        collector = self.server
        assert isinstance(collector, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/logs":
            self.send_error(404)
        elif collector.refusals:
            collector.refusals -= 1
            collector.refused.set()
            self.send_error(400)
        else:
            collector.requests.append(ExportLogsServiceRequest.FromString(body))
            print(len(collector.records()), flush=True)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


if __name__ == "__main__":
    with Collector(int(sys.argv[1])) as alone:
        print("ready", flush=True)
        alone.serve_forever()
