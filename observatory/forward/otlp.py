"""To an OpenTelemetry collector: events as log records, by the semantic conventions.

A batch counts as delivered when the collector has taken it. One that was under way when this process was killed is sent
again, so that a record can be there twice; `log.record.uid` is the same in both.

Sources: OpenTelemetry's logs data model (EventName, Body) and its semantic conventions for `host.*`, `process.*`,
`session.*`, `gen_ai.*` and `log.record.uid`. `process.user.id` is the effective user id there, which is what the kernel
gives of a peer. What has no convention is under `observatory.`.
"""

from __future__ import annotations

import asyncio
import platform
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from observatory.forward.backoff import Backoff
from observatory.forward.cursor import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.forward.backlog import Backlog
    from observatory.forward.cursor import Cursor

BATCH: Final = 256
"""Records in one request, at most."""
BATCH_BYTES: Final = 4 * 1024 * 1024
"""The size of their events, at most; a single one may be larger."""

_SCOPE: Final = InstrumentationScope("claude-observatory")
_FAILURES: Final = frozenset({"PostToolUseFailure", "StopFailure", "SessionDead"})


def record(event: dict[str, Any], host: str, resource: Resource) -> ReadableLogRecord:
    """An event as a log record. What the kernel said is in attributes, what the sender said is the body."""
    name = str(event.get("_event") or "Unknown")
    time = _nanoseconds(event.get("_ts"))
    uid, gid, pid = (event.get(f"_peer_{key}") for key in ("uid", "gid", "pid"))
    groups = event.get("_peer_groups")
    attributes: dict[str, Any] = {
        "log.record.uid": f"{host}.{event.get('_id')}.{event.get('_ts')}",
        "observatory.event.id": event.get("_id"),
        "process.pid": pid,
        "process.user.id": uid,
        "observatory.process.group.id": gid,
        "observatory.process.groups": groups if groups is None else list(groups),
        "session.id": _text(event.get("session_id")),
        "gen_ai.conversation.id": _text(event.get("session_id")),
        "gen_ai.tool.name": _text(event.get("tool_name")),
        "gen_ai.tool.call.id": _text(event.get("tool_use_id")),
    }
    failed = name in _FAILURES
    return ReadableLogRecord(
        LogRecord(
            timestamp=time,
            observed_timestamp=time,
            severity_number=SeverityNumber.ERROR if failed else SeverityNumber.INFO,
            severity_text="ERROR" if failed else "INFO",
            event_name=f"claude_code.{name}",
            body=_plain({key: value for key, value in event.items() if not key.startswith("_")} or _rest(event)),
            attributes={key: value for key, value in attributes.items() if value is not None},
        ),
        resource,
        _SCOPE,
    )


def resource_of(host: str) -> Resource:
    """What all records of this machine have in common."""
    return Resource(
        {
            "service.name": "claude-observatory",
            "host.name": host,
            "host.arch": platform.machine(),
            "os.type": sys.platform,
        }
    )


class OtlpForwarder:
    """Sends what a backlog gives, one batch after the other. `log` takes sentences."""

    def __init__(self, endpoint: str, host: str, cursor: Cursor, log: Callable[[str], None], ca: str | None) -> None:
        self._endpoint = endpoint
        self._host = host
        self._cursor = cursor
        self._log = log
        self._resource = resource_of(host)
        self._exporter = OTLPLogExporter(endpoint=endpoint, certificate_file=ca, timeout=5)
        self._move = asyncio.Event()
        self.delivered = 0
        """Events taken by the collector since the start."""

    def more(self) -> None:
        """There is something to take from the backlog. For the loop's thread."""
        self._move.set()

    async def run(self, backlog: Backlog, stopping: asyncio.Event) -> None:
        """Send until `stopping` is set."""
        while not stopping.is_set():
            self._move.clear()
            lines = backlog.take(BATCH)
            if not lines:
                await _first(self._move.wait(), stopping.wait())
                continue
            for batch in _batches([msgspec.json.decode(line, type=dict[str, Any]) for line in lines], lines):
                if not await self._deliver(batch, stopping):
                    return

    async def _deliver(self, batch: list[dict[str, Any]], stopping: asyncio.Event) -> bool:
        """Send until it's taken, or `stopping`; whether it was taken."""
        records = [record(event, self._host, self._resource) for event in batch]
        backoff, said = Backoff(), False
        while await asyncio.to_thread(self._exporter.export, records) is not LogRecordExportResult.SUCCESS:
            if not said:
                self._log(f"{self._endpoint} does not take events just now; trying again")
                said = True
            if stopping.is_set():
                return False
            await backoff.pause(stopping)
        if said:
            self._log("it takes events again")
        last = batch[-1]
        self.delivered += len(batch)
        self._cursor.position = Position(last["_id"], last["_ts"])
        self._cursor.save()
        return True


def _batches(events: list[dict[str, Any]], lines: list[bytes]) -> list[list[dict[str, Any]]]:
    """In order, none larger than BATCH_BYTES, but for one event alone."""
    batches: list[list[dict[str, Any]]] = []
    size = 0
    for event, line in zip(events, lines, strict=True):
        if not batches or size + len(line) > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += len(line)
    return batches


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _rest(event: dict[str, Any]) -> Any:
    """What the sender said where that was no JSON object."""
    return event.get("_raw", event.get("_value"))


def _plain(value: Any) -> Any:
    """A value that a log record can hold: its integers have 64 bits."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return value


def _nanoseconds(text: object) -> int:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
