"""Events for people's eyes: indented JSON or YAML, in colours on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.text import printable_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from observatory.events import Event

LONGEST_LINE: Final = 64 * 1024
"""Bytes of a line that is made pretty. A longer one, or one that is nested too deeply, is written as it is: to make
it pretty would take longer than others can be kept waiting."""


def terminal_lines(events: list[Event]) -> bytes:
    """One JSON object a line, with escapes for what a terminal would take for a command, or not show."""
    return b"".join([_as_it_is(event.line) for event in events])


def pretty_json(*, colours: bool) -> Callable[[list[Event]], bytes]:
    """Indented JSON. Raises ImportError with a sentence if colours are asked for and Pygments is missing."""
    paint = _painter("json") if colours else None

    def render(line: bytes) -> str:
        text = printable_json(msgspec.json.format(line, indent=2).decode())
        return paint(text) if paint else f"{text}\n"

    return lambda events: _rendered(events, render)


def pretty_yaml(*, colours: bool) -> Callable[[list[Event]], bytes]:
    """YAML, a document for each event. Raises ImportError with a sentence if PyYAML is missing."""
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImportError("--pretty-yaml needs PyYAML: install claude-observatory[pretty]") from None
    paint = _painter("yaml") if colours else None

    def render(line: bytes) -> str:
        value = json.loads(line)

        def dump(*, readable: bool) -> str:
            return str(yaml.safe_dump(value, explicit_start=True, sort_keys=False, allow_unicode=readable, width=110))

        text = dump(readable=True)
        if printable_json(text) != text:
            text = dump(readable=False)  # everything beyond ASCII as escapes
        return paint(text) if paint else text

    return lambda events: _rendered(events, render)


def _rendered(events: list[Event], render: Callable[[bytes], str]) -> bytes:
    return b"".join([_one(event.line, render) for event in events])


def _one(line: bytes, render: Callable[[bytes], str]) -> bytes:
    if len(line) <= LONGEST_LINE:
        try:
            return render(line).encode()
        except (RecursionError, msgspec.DecodeError):
            pass
    return _as_it_is(line)


def _as_it_is(line: bytes) -> bytes:
    return printable_json(line.decode()).encode() + b"\n"


def _painter(language: str) -> Callable[[str], str]:
    try:
        from pygments import highlight  # noqa: PLC0415 - an extra
        from pygments.formatters import TerminalFormatter  # noqa: PLC0415
        from pygments.lexers import JsonLexer, YamlLexer  # noqa: PLC0415
    except ImportError:
        raise ImportError("colours need Pygments: install claude-observatory[pretty]") from None
    lexer = JsonLexer() if language == "json" else YamlLexer()
    formatter: Any = TerminalFormatter()
    return lambda text: str(highlight(text, lexer, formatter))
