"""Whatever a server has taken, a reader can read, and every other value is read as it is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.events import compose, take_apart
from observatory.reading import read_event, reader
from tests.helpers.numbers import BEYOND, DIGITS


def line_of(body: bytes) -> bytes:
    return compose(1, 1, "2026-01-01T00:00:00Z", "Stop", None, take_apart(body)).line


@pytest.mark.parametrize("number", BEYOND, ids=lambda number: str(number)[:12])
def test_a_number_that_cannot_be_held_is_its_text_and_all_else_is_as_it_was(number: str) -> None:
    body = r'{"a\"":[NUMBER,{"b":NUMBER}],"t":"NUMBER \\","n":-1.5e3,"i":-0,"u":"\u00e9","x":null}'
    body = body.replace("NUMBER", number)
    event = read_event(line_of(body.encode()))
    kept = {name: value for name, value in event.items() if not name.startswith("_")}
    assert kept == {
        'a"': [number, {"b": number}],
        "t": f"{number} \\",
        "n": -1500.0,
        "i": 0,
        "u": "\u00e9",
        "x": None,
    }
    assert event["_id"] == 1


@pytest.mark.parametrize(
    "value",
    [
        *(*BEYOND, "1" * 400, "-0", "-0.0", "1e-999", "1e-99999999999", "1.7976931348623159e308", "0e999"),
        *("NaN", "Infinity", "-Infinity", "01", "1.", "+1", r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"\0"'),
        *("[" * 98 + "]" * 98, "[" * 5000 + "]" * 5000, '{"a":' * 500 + "1" + "}" * 500, r'{"\ud800":1e999}'),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize(
    "body", ['{"x":%s}', '{"session_id":%s,"session_id":%s}', "%s", '{"a":[%s,"\\u0041"],"x":1e999}']
)
def test_what_a_server_takes_is_read(body: str, value: str) -> None:
    line = line_of(body.replace("%s", value).encode())
    assert read_event(line)["_event"] == "Stop"


def test_a_field_that_cannot_be_held_is_its_text_where_few_fields_are_read() -> None:
    class Few(msgspec.Struct):
        took: Any = None
        other: Any = None

    read = reader(Few)
    assert read(b'{"took":1e999,"x":1e999}').took == "1e999"
    assert read(b'{"took":1e999,"took":3}').took == 3
    assert read(b'{"other":%b}' % DIGITS.encode()).other == DIGITS


@pytest.mark.parametrize("line", [b"", b"[1e999]", b'{"a":1e999', b'{"a":1e999}}', b'{"a":01}', b'"1e999"', b"1e999"])
def test_what_is_no_event_is_still_none(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_event(line)


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.none())))
def test_beside_such_a_number_everything_is_read_as_without_it(said: dict[str, Any]) -> None:
    line = json.dumps({**said, "beyond": 0}, allow_nan=True).replace("Infinity", "1e999").encode()
    with_it = line.replace(b'"beyond": 0}', b'"beyond": 1e999}')
    assert read_event(with_it) == {**read_event(line), "beyond": "1e999"}
