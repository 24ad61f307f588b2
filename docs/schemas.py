"""JSON Schemas of the two kinds of TOML files, for editors: made from the code's own keys and the documents' own words.

Draft 2020-12. What a schema can't say (that a user exists, that a target is a symlink's) the harness says itself.
"""

from __future__ import annotations

import re
import types
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.subjects import description
from harness.world import model, policy, profile, validation

DOCS = Path(__file__).parent
MODE = {"type": "string", "pattern": "^[0-7]{1,4}$"}
ACL = {"type": "string", "pattern": "^(user|group|mask|other):[^:]*:[r-][w-][x-]$"}
TEXT: dict[str, Any] = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


def world() -> dict[str, Any]:
    """The schema of a world's file, and of a scenario's."""
    text = (DOCS / "worlds.md").read_text(encoding="utf-8")
    users, nodes, attempts = (_said(text.partition(f"\n### {noun}\n")[2]) for noun in ("Users", "Nodes", "Attempts"))
    acl = {"type": "array", "items": ACL}
    node = _of(model.Node, nodes, mode=MODE, acl=acl, default_acl=acl, listening={"type": "boolean"})
    user = _of(model.User, users, capabilities=TEXTS, confined=_confinement())
    del user["properties"]["name"]
    user["required"] = ["uid"]
    numbers = {"type": "object", "additionalProperties": {"type": "integer"}}
    settings = {
        name: {"type": "integer", "minimum": values[0], "maximum": values[-1]}
        for name, values in validation.SYSCTLS.items()
    }
    told = ["symptom", "cause", "remedy"]
    return _schema(
        "A world",
        {
            "name": TEXT,
            "about": TEXT,
            "groups": numbers,
            "users": {"type": "object", "additionalProperties": user},
            "nodes": {"type": "array", "items": node},
            "attempts": {"type": "array", "items": _of(model.Attempt, attempts, mode=MODE)},
            "sysctls": _object(settings, []),
            "scenario": _object(dict.fromkeys(told, TEXT), told),
        },
        ["name"],
    )


def _confinement() -> dict[str, Any]:
    refusals = {"enum": sorted(validation.REFUSALS)}
    calls = _object(dict.fromkeys(get_args(model.FilteredCall), refusals), [])
    rights = {"type": "array", "items": {"enum": list(get_args(model.LandlockRight))}}
    rules = {"type": "array", "items": {"type": "string", "pattern": f"^(?:{profile.RULE.pattern})$"}}
    allowed = {"type": "array", "items": {"type": "string", "pattern": f"^(?:{policy.RULE.pattern})$"}}
    return _object({"seccomp": calls, "landlock": rights, "apparmor": rules, "selinux": allowed}, [])


def subject() -> dict[str, Any]:
    """The schema of a subject file."""
    # The options, which the first column has, are the command line's.
    text = (DOCS / "checks.md").read_text(encoding="utf-8").partition("\n## The checks\n")[0]
    said = _said(re.sub(r"^\| `--.*? \| ", "| ", text, flags=re.MULTILINE))
    kinds: dict[str, dict[str, Any]] = {
        **dict.fromkeys(description.TEXTS, TEXT),
        **dict.fromkeys(description.LISTS, TEXTS),
        **{key: {"anyOf": [TEXT, TEXTS]} for key in description.COMMANDS},
        **{key: {"type": "object"} for key in description.TABLES},
        **{
            key: {"type": "integer" if key == "starts" else "number", "minimum": least, "maximum": most}
            for key, (least, most) in description.NUMBERS.items()
        },
        "activated": {"type": "boolean"},
        "mode": MODE,
        "at_most": MODE,
    }
    for table in ("environment", "files", "expected"):
        kinds[table] = {"type": "object", "additionalProperties": TEXT}
    return _schema("A subject", {key: _described(key, kinds[key], said) for key in sorted(kinds)}, ["command"])


def _of(noun: type, said: dict[str, str], **special: dict[str, Any]) -> dict[str, Any]:
    """The schema of a table that is read into this dataclass."""
    hints = get_type_hints(noun)
    keys = {each.name: special.get(each.name) or _kind(hints[each.name]) for each in fields(noun)} | special
    required = [each.name for each in fields(noun) if each.default is MISSING and each.default_factory is MISSING]
    return _object({key: _described(key, kind, said) for key, kind in keys.items()}, required)


def _kind(hint: Any) -> dict[str, Any]:
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _kind(get_args(hint)[0])}
    if get_origin(hint) in {Union, types.UnionType}:
        kinds = [_kind(part) for part in get_args(hint) if part is not type(None)]
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return {str: TEXT, int: {"type": "integer"}}[hint]


def _described(key: str, kind: dict[str, Any], said: dict[str, str]) -> dict[str, Any]:
    return {"description": said[key], **kind} if key in said else kind


def _said(text: str) -> dict[str, str]:
    """What the tables of a text say of each key of their first column: their last one. The first to say it counts."""
    said: dict[str, str] = {}
    for first, last in re.findall(r"^\| (`[^|]*`) \|(?:.*\|)? (\S.*) \|$", text, re.MULTILINE):
        for key in re.findall(r"`\[*(\w+)\]*`", first):
            said.setdefault(key, last.replace("`", ""))
    return said


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _schema(title: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **_object(properties, required)}
