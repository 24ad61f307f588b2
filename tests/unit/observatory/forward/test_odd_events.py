"""An event that is odd, or a host that is, keeps no other event from being forwarded and read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

from observatory.forward.nats import _cut
from observatory.forward.nats_source import NatsSource, _filter, named
from observatory.forward.otlp_record import record, resource_of
from observatory.reading import read_event
from observatory.store.query import Query
from tests.helpers.numbers import BEYOND

HEAD = '"_id":7,"_ts":"2026-01-01T00:00:00.000000Z","_event":"Stop","_peer_uid":5'


@pytest.mark.parametrize("number", BEYOND, ids=lambda number: str(number)[:12])
def test_a_number_that_cannot_be_held_is_forwarded_and_read_as_its_text(number: str) -> None:
    line = f'{{{HEAD},"session_id":"s","n":[{number}]}}'.encode()
    (read,) = NatsSource.read([named("web", line)])
    assert (read["_id"], read["_host"], read["n"]) == (7, "web", [number])
    assert json.loads(_cut(line)) == {**json.loads(f"{{{HEAD}}}"), "session_id": "s", "_line_bytes": len(line)}
    (encoded,) = encode_logs([record(read_event(line), "h", "da7a", resource_of("h"))]).resource_logs
    assert number in str(encoded.scope_logs[0].log_records[0].body)


@pytest.mark.parametrize("value", ["1e999", "[]", "{}", "5", "true", "null", '["s"]'])
def test_names_that_are_no_texts_are_none_that_were_asked_for(value: str) -> None:
    asked = _filter(Query.of({"session": ["s"], "beginning": ["s"], "tool": ["t"], "event": ["Stop"]}, 5))
    assert asked(f'{{{HEAD},"session_id":"s1","tool_name":"t"}}'.encode())
    for name in ("session_id", "tool_name", "_event", "_peer_uid", "_ts"):
        odd: dict[str, Any] = {**json.loads(f"{{{HEAD}}}"), "session_id": "s1", "tool_name": "t", name: "ODD"}
        line = json.dumps(odd).replace('"ODD"', value).encode()
        assert asked(line) is (name == "_ts" or (name, value) == ("_peer_uid", "5"))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_what_is_deeper_than_a_collector_reads_is_forwarded_as_json(opening: str, closing: str) -> None:
    event = read_event(f'{{{HEAD},"n":{opening * 98}"at last"{closing * 98}}}'.encode())
    (encoded,) = encode_logs([record(event, "h", "da7a", resource_of("h"))]).resource_logs
    copy = type(encoded).FromString(encoded.SerializeToString())
    assert "at last" in str(copy.scope_logs[0].log_records[0].body)
