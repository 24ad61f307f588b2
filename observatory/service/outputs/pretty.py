"""An event's line for people's eyes: indented JSON or YAML, in colours on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from observatory.text import printable_json

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LINE: Final = 16 * 1024
"""Bytes of a line that is made pretty. A longer one, or one that is nested too deeply, is written as it is: to make
it pretty would take so long that standard output would miss the events after it."""


def terminal_line(line: bytes) -> bytes:
    """The line, with escapes for what a terminal would take for a command, or not show."""
    return printable_json(line.decode()).encode() + b"\n"


def pretty_json(*, colours: bool) -> Callable[[bytes], bytes]:
    """Indented JSON. Raises ImportError with a sentence if colours are asked for and Pygments is missing."""
    paint = _painter("json") if colours else None

    def render(line: bytes) -> str:
        text = printable_json(msgspec.json.format(line, indent=2).decode())
        return paint(text) if paint else f"{text}\n"

    return lambda line: _rendered(line, render)


def pretty_yaml(*, colours: bool) -> Callable[[bytes], bytes]:
    """YAML, a document for each event. Raises ImportError with a sentence if PyYAML is missing."""
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImportError(
            "--pretty-yaml needs PyYAML, which is not installed: pip install 'claude-observatory[pretty]'"
        ) from None
    paint = _painter("yaml") if colours else None

    def render(line: bytes) -> str:
        value = json.loads(line)

        def dump(*, readable: bool) -> str:
            return str(yaml.safe_dump(value, explicit_start=True, sort_keys=False, allow_unicode=readable, width=110))

        text = dump(readable=True)
        if printable_json(text) != text:
            text = dump(readable=False)  # everything beyond ASCII as escapes
        return paint(text) if paint else text

    return lambda line: _rendered(line, render)


def _rendered(line: bytes, render: Callable[[bytes], str]) -> bytes:
    if len(line) <= LONGEST_LINE:
        try:
            return render(line).encode()
        except (RecursionError, ValueError, msgspec.DecodeError):  # such as a number of 5,000 digits
            pass
    return terminal_line(line)


def _painter(language: str) -> Callable[[str], str]:
    try:
        from pygments import highlight  # noqa: PLC0415 - an extra
        from pygments.formatters import TerminalFormatter  # noqa: PLC0415
        from pygments.lexers import JsonLexer, YamlLexer  # noqa: PLC0415
    except ImportError:
        raise ImportError(
            "colours need Pygments, which is not installed: pip install 'claude-observatory[pretty]'"
        ) from None
    lexer = JsonLexer() if language == "json" else YamlLexer()
    formatter: Any = TerminalFormatter()
    return lambda text: str(highlight(text, lexer, formatter))
