"""Long texts keep their beginning, their size and their digest."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.events import compose, take_apart, timestamp
from observatory.shortening import POINTER, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEP = 100


def composed(body: bytes, keep: int | None = KEEP) -> dict[str, Any]:
    event = compose(1, 0, timestamp(0), "PostToolUse", None, take_apart(body, keep))
    assert b"\n" not in event.line
    said: dict[str, Any] = json.loads(event.line)
    return said


def told(place: str, text: str) -> dict[str, Any]:
    data = text.encode()
    return {"place": place, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_what_was_cut_is_told_wherever_it_stands() -> None:
    content, line = "x" * 500, "\u00e9" * 60
    said = composed(
        json.dumps(
            {
                "session_id": "r6",
                "tool_input": {"content": content, "a/b~": ["short", line]},
                "tool_response": {"content": content},
                "_cut": "a claim",
            }
        ).encode()
    )
    assert said["session_id"] == "r6"
    assert said["tool_input"] == {"content": "x" * 100, "a/b~": ["short", "\u00e9" * 50]}
    assert said["_cut"] == [
        told("/tool_input/content", content),
        told("/tool_input/a~1b~0/1", line),
        told("/tool_response/content", content),
    ]


@pytest.mark.parametrize("body", [b"no JSON " * 100, b"[" * 200 + b"]" * 200])
def test_what_is_no_object_is_cut_too(body: bytes) -> None:
    assert composed(body)["_raw"] == body.decode()[:KEEP]
    assert composed(body)["_cut"] == [told("/_raw", body.decode())]


def test_what_is_not_cut_stays_byte_for_byte() -> None:
    odd = b'"n": 12345678901234567890123, "f": 1e400, "e": "\\u00e9"'
    assert shortened(b'"a": "%b", %b}' % (b"x" * KEEP, odd), KEEP) is None
    cut = shortened(b'"a": "%b", %b}' % (b"x" * (KEEP + 1), odd), KEEP)
    assert cut is not None
    for piece in (b"12345678901234567890123", b"1e400", b'"\\u00e9"'):
        assert piece in cut


def test_by_choice_nothing_is_cut() -> None:
    body = json.dumps({"a": "x" * 10_000}).encode()
    assert composed(body, None)["a"] == "x" * 10_000
    assert "_cut" not in composed(body, None)


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(1, 120))
def test_a_text_is_cut_between_characters_and_never_exceeds_what_is_kept(text: str, keep: int) -> None:
    said = composed(json.dumps({"a": text}, ensure_ascii=False).encode(), keep)
    assert text.startswith(said["a"])
    if len(text.encode()) <= keep:
        assert (said["a"], "_cut" in said) == (text, False)
    else:
        assert keep - 4 < len(said["a"].encode()) <= keep
        assert said["_cut"] == [told("/a", text)]


TEXTS = st.text(st.sampled_from('"\\x\u00e9\n,[{:'), max_size=40)
VALUES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """All texts, each with its place."""
    if isinstance(value, str):
        yield place, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from texts(each, f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}")


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.integers(1, 30), st.booleans())
def test_every_long_text_is_found_wherever_it_stands_and_no_other(
    said: dict[str, object], keep: int, ascii_only: bool
) -> None:
    body = json.dumps(said, ensure_ascii=ascii_only).encode()
    found = shortened(body[1:], keep)
    line = json.loads(body if found is None else b"{" + found)
    long = [(place, text) for place, text in texts(said, "") if len(text.encode()) > keep]
    assert line.pop("_cut", []) == [told(place[:POINTER], text) for place, text in long]
    for (place, before), (same, after) in zip(texts(said, ""), texts(line, ""), strict=True):
        assert place == same
        assert before.startswith(after)
        assert (before == after) == ((place, before) not in long)
