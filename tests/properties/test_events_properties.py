"""Any body at all, and any object in any spelling."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from observatory import events
from observatory.events import compose, take_apart
from observatory.identity import PeerCredentials

IDS = st.none() | st.integers(0, 0xFFFF_FFFE)
GROUPS = st.none() | st.lists(st.integers(0, 0xFFFF_FFFE)).map(tuple)
PEERS = st.builds(PeerCredentials, IDS, IDS, IDS, GROUPS, st.none())
TRUSTED = {"_id", "_ts", "_event", "_peer_pid", "_peer_uid", "_peer_gid", "_peer_groups"}

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT | st.sampled_from(["session_id", "tool_name", "hook_event_name"]) | TEXT.map(lambda text: f"_{text}")
VALUES = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=6)


def line_of(body: bytes, peer: PeerCredentials | None, name: str | None = None) -> dict[str, object]:
    event = compose(1, 2, "now", name, peer, take_apart(body))
    assert b"\n" not in event.line
    assert b"\r" not in event.line
    pairs: list[tuple[str, object]] = []

    def note(found: list[tuple[str, object]]) -> dict[str, object]:
        pairs[:] = found  # of the outermost object, which is read last
        return dict(found)

    line: dict[str, object] = json.loads(event.line.decode(), object_pairs_hook=note)
    names = [name for name, _ in pairs if name.startswith("_")]
    assert len(names) == len(set(names)), (
        "a reader that takes the first of two fields sees another than one that takes the last"
    )
    assert line["_peer_pid"] == (None if peer is None else peer.pid)
    assert line["_peer_uid"] == (None if peer is None else peer.uid)
    assert line["_peer_gid"] == (None if peer is None else peer.gid)
    assert line.get("_peer_groups") == (None if peer is None or peer.groups is None else list(peer.groups))
    assert (line["_id"], line["_ts"], line["_event"]) == (1, "now", event.name)
    return line


@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]), PEERS | st.none())
def test_an_object_keeps_its_fields_less_those_that_are_the_server_s(
    said: dict[str, object], ascii_only: bool, indent: int | None, peer: PeerCredentials | None
) -> None:
    body = json.dumps(said, ensure_ascii=ascii_only, indent=indent).encode()
    line = line_of(body, peer)
    kept = {name: value for name, value in line.items() if name not in TRUSTED}
    assert kept == {name: value for name, value in said.items() if not name.startswith("_")}


@given(st.binary(), PEERS | st.none(), TEXT | st.none())
@example(b'{"a":1e999}', None, None)
@example(b'{"a":"\\udc00"}', None, None)
def test_any_bytes_become_one_line_of_json(body: bytes, peer: PeerCredentials | None, name: str | None) -> None:
    line = line_of(body, peer, name)
    assert set(line) - TRUSTED <= {name for name in line if not name.startswith("_")} | {"_raw", "_value"}


SPELLINGS = st.sampled_from(
    [
        *rb"""{ } [ ] : , " \ \u005f "_ "a" _peer_uid 0 1e999 - null tru \ud83d \udE00 "_id":0 {"_id":0}""".split(),
        *(b" ", b"\n", b"\r", b"\t", b"\x0b", b"\xff", b"\xc3\xa9"),
    ]
)


@given(st.lists(SPELLINGS, max_size=12).map(b"".join), st.booleans())
@example(rb'"\ud83d\"_id":0', True)
def test_almost_json_is_json_or_text_and_never_forges(inside: bytes, whole: bool) -> None:
    body = b'{"x":1,' + inside + b"}" if whole else inside
    line = line_of(body, PeerCredentials(5, 6, 7, None))
    try:
        said = json.loads(body, parse_constant=lambda text: math.nan + int(text))
    except (ValueError, UnicodeDecodeError):
        assert "_raw" in line
        return
    if isinstance(said, dict) and "_raw" not in line:
        mended = {re.sub("[\ud800-\udfff]", "\ufffd", name) for name in said if not name.startswith("_")}
        assert mended == set(line) - TRUSTED


SPELT = st.text(st.sampled_from('[]{}"\\\n:,a'))
NESTED = st.recursive(
    SPELT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SPELT, inner, max_size=3), max_leaves=30
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(NESTED, st.sampled_from([None, 1]))
def test_brackets_count_where_they_nest_and_not_in_strings(value: object, indent: int | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "DEEPEST", 2)
        assert ("_raw" in line_of(json.dumps(value, indent=indent).encode(), None)) == (depth(value) > 2)
