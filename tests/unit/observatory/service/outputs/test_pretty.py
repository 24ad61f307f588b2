"""Events for people's eyes."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from observatory.service.outputs.pretty import LONGEST_LINE, pretty_json, pretty_yaml, terminal_line

if TYPE_CHECKING:
    from collections.abc import Callable

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra [pretty]")
pytest.importorskip("pygments", reason="Pygments comes with the extra [pretty]")

COMMANDS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0041]")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
SAID = {"_id": 1, "_event": "Stop", "text": "a\nb \u00e9 \x1b[31m", "list": [1, {"a": None}], "yes": True, "no": "no"}
LINE = json.dumps(SAID).encode()


@pytest.mark.parametrize("colours", [False, True])
def test_json_is_indented_and_says_the_same(colours: bool) -> None:
    data = pretty_json(colours=colours)(LINE) * 2
    assert bool(COLOUR.search(data)) == colours
    plain = COLOUR.sub(b"", data).decode()
    assert plain.count("\n  ") > 6
    decoder, found, place = json.JSONDecoder(), [], 0
    while place < len(plain):
        value, place = decoder.raw_decode(plain, place)
        found.append(value)
        place = re.compile(r"\s*").match(plain, place).end()  # type: ignore[union-attr]
    assert found == [SAID, SAID]


@pytest.mark.parametrize("colours", [False, True])
def test_yaml_has_a_document_for_each_event_and_says_the_same(colours: bool) -> None:
    data = pretty_yaml(colours=colours)(LINE) * 2
    assert bool(COLOUR.search(data)) == colours
    assert list(yaml.safe_load_all(COLOUR.sub(b"", data))) == [SAID, SAID]


@pytest.mark.parametrize("pretty", [pretty_json, pretty_yaml])
@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x200F, 0x202E, 0x2028, 0x2066, 0xE0041])
def test_nothing_that_a_terminal_takes_for_a_command_gets_through(
    pretty: Callable[..., Callable[[bytes], bytes]], code: int
) -> None:
    said = {"a": f"x{chr(code)}y"}
    for line in (json.dumps(said), json.dumps(said, ensure_ascii=False)):
        text = pretty(colours=False)(line.encode()).decode()
        assert not COMMANDS.search(text)


@pytest.mark.parametrize("write", [terminal_line, pretty_json(colours=False), pretty_yaml(colours=False)])
@pytest.mark.parametrize("more", ["", "x" * LONGEST_LINE])
def test_a_terminal_gets_no_command_however_long_the_line_is(write: Callable[[bytes], bytes], more: str) -> None:
    said = {"a": "\x1b\u009b\u202e\u00e9" + more, "b": [["\U000e0041"]]}
    data = write(json.dumps(said, ensure_ascii=False).encode()).decode()
    assert not COMMANDS.search(data)
    assert "\u00e9" in data or "\\xE9" in data
    assert (json.loads(data) if data.startswith("{") else yaml.safe_load(data)) == said


@pytest.mark.parametrize("pretty", [pretty_json, pretty_yaml])
@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"a":"' + b"x" * LONGEST_LINE + b'"}', id="long"),
        pytest.param(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", id="deep"),
    ],
)
def test_what_is_too_much_for_a_formatter_is_written_as_it_is(
    pretty: Callable[..., Callable[[bytes], bytes]], line: bytes
) -> None:
    data = pretty(colours=True)(line)
    assert json.loads(COLOUR.sub(b"", data)) == json.loads(line)


def test_a_number_that_python_does_not_take_for_one_is_written_as_it_is() -> None:
    line = b'{"a":' + b"9" * 5000 + b"}"
    assert pretty_yaml(colours=False)(line) == line + b"\n"


@pytest.mark.parametrize("pretty", [pretty_json, pretty_yaml])
def test_numbers_beyond_those_of_a_machine_are_written_somehow(
    pretty: Callable[..., Callable[[bytes], bytes]],
) -> None:
    assert b"1e999" in pretty(colours=False)(b'{"a":1e999}') or b".inf" in pretty(colours=False)(b'{"a":1e999}')


@pytest.mark.parametrize(("pretty", "missing"), [(pretty_yaml, "yaml"), (pretty_json, "pygments")])
def test_what_is_missing_is_named_with_what_to_install(
    pretty: Callable[..., Callable[[bytes], bytes]], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"install 'claude-observatory\[pretty\]'"):
        pretty(colours=True)
