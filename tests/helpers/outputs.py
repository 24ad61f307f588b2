"""What commands print, compared with the JSON Schemas that say what they print."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
_times = FormatChecker(())


@_times.checks("date-time", ValueError)
def _is_a_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def schema(name: str) -> Any:
    """The committed schema of that name."""
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


def wrong(name: str, printed: Iterable[Any]) -> list[str]:
    """What the schema says against these objects, of which it must know every field."""
    strict = Draft202012Validator(_closed(schema(name), name), format_checker=_times)
    return [f"{error.json_path}: {error.message}" for each in printed for error in strict.iter_errors(each)]


def unseen(name: str, printed: Iterable[Any]) -> set[str]:
    """The fields of the schema that none of these objects has, as `a.b`."""
    whole = schema(name)
    known = {path for each in whole.get("anyOf", [whole]) for path in _fields(each)}
    return known - {path for each in printed for path in _paths(each)}


def _closed(node: Any, name: str) -> Any:
    """The schema without the fields of later versions. An event has the client's own beside the server's."""
    if not isinstance(node, dict):
        return [_closed(each, name) for each in node] if isinstance(node, list) else node
    made = {key: _closed(value, name) for key, value in node.items()}
    if "required" in node and "properties" in node:
        made["additionalProperties"] = False
        if name == "event":
            made["patternProperties"] = {"^(?!_)": {}}
    return made


def _fields(node: Any, before: str = "") -> Iterator[str]:
    for name, inside in node.get("properties", {}).items():
        yield f"{before}{name}"
        yield from _fields(inside, f"{before}{name}.")


def _paths(value: object, before: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield f"{before}{name}"
            yield from _paths(inside, f"{before}{name}.")
