"""JSON Schemas of what the commands print, made from the tables of `docs/outputs.md`.

Draft 2020-12. Readers may meet fields that a later version adds, so no schema refuses those.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "outputs.md"
KINDS: dict[str, dict[str, Any]] = {
    "any": {},
    "text": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "true or false": {"type": "boolean"},
    "object": {"type": "object"},
    "null": {"type": "null"},
}
_ROW = re.compile(r"^\| `([\w.]+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def schemas() -> dict[str, dict[str, Any]]:
    """Each schema of the page by the name of its file. A section with several tables describes as many objects."""
    made = {}
    for title, text in re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        name = re.search(r"The schema is `(\w+)\.json`", text)
        if name is not None:
            objects = [_object(table) for table in text.split("\n|---|---|---|\n")[1:]]
            made[name[1]] = {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": f"A line of the output: {title}",
                **(objects[0] if len(objects) == 1 else {"anyOf": objects}),
            }
    return made


def _object(table: str) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for path, kind, meaning in _ROW.findall(table):
        *above, name = path.split(".")
        inside = made
        for each in above:  # which an earlier row describes
            inside = inside["properties"][each]
        properties, required = inside.setdefault("properties", {}), inside.setdefault("required", [])
        properties[name] = {"description": meaning.replace("`", ""), **_kind(kind.removesuffix(", optional"))}
        if not kind.endswith(", optional"):
            required.append(name)
    return made


def _kind(words: str) -> dict[str, Any]:
    """What a type's words mean. Raises KeyError for words that mean nothing."""
    if words in KINDS:
        return dict(KINDS[words])
    if words.startswith("one of "):
        return {"enum": re.findall(r"`([^`]+)`", words)}
    if words.endswith(" or null"):
        kind = _kind(words.removesuffix(" or null").removesuffix(","))
        return {**kind, "type": [kind["type"], "null"]}
    if words.startswith("list of "):
        return {"type": "array", "items": KINDS[words.removeprefix("list of ")]}
    return {"type": "object", "additionalProperties": KINDS[words.removeprefix("map of ")]}
