"""An event as an OpenTelemetry log record, by the semantic conventions. Pure.

Sources: OpenTelemetry's logs data model (EventName, Body) and its semantic conventions for `host.*`, `process.*`,
`session.*`, `gen_ai.*` and `log.record.uid`. `process.user.id` is the effective user id there, which is what the kernel
gives of a peer. What has no convention is under `observatory.`.
"""

from __future__ import annotations

import platform
import sys
from datetime import datetime
from typing import Any, Final

import msgspec
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

DEEPEST: Final = 24
"""Arrays and objects within each other in a record's body: each takes three of the 100 messages within each other that
Protocol Buffers read."""
_SCOPE: Final = InstrumentationScope("claude-observatory")
_FAILURES: Final = frozenset({"PostToolUseFailure", "StopFailure", "SessionDead"})


def record(event: dict[str, Any], host: str, database: str, resource: Resource) -> ReadableLogRecord:
    """An event as a log record. What the kernel said is in attributes, what the sender said is the body."""
    name = str(event.get("_event") or "Unknown")
    time = _nanoseconds(event.get("_ts"))
    uid, gid, pid = (event.get(f"_peer_{key}") for key in ("uid", "gid", "pid"))
    groups = event.get("_peer_groups")
    attributes: dict[str, Any] = {
        "log.record.uid": f"{host}.{database}.{event.get('_id')}.{event.get('_ts')}",
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


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _rest(event: dict[str, Any]) -> Any:
    """What the sender said where that was no JSON object."""
    return event.get("_raw", event.get("_value"))


def _plain(value: Any, depth: int = 1) -> Any:
    """A value that a log record can hold: its integers have 64 bits, and what is deeper than `DEEPEST` is JSON."""
    if isinstance(value, (dict, list)) and depth > DEEPEST:
        return msgspec.json.encode(value).decode()
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return str(value)
    return value


def _nanoseconds(text: object) -> int:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return 0
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
